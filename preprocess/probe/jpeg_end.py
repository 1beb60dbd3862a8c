"""Whether a JPEG that lacks its last marker lacks nothing else: only decoding can tell."""

from __future__ import annotations

import io
import os
import re
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING

from preprocess.pixels import DAMAGE, open_file
from preprocess.probe import jpeg
from preprocess.rules.image import MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator

_JUNK = (bytes(range(1, 0x80)), bytes(range(0x80, 0xFF)), b"\x55" * 64, b"\xaa" * 64)
"""Data of no picture, without a marker. Several, as the first bits of one may say the same as those
that are missing, or next to nothing."""
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_ROWS = 256
"""Of which copies are made at once."""
_COEFFICIENTS = 64


def lacks_only_its_end(fd: int) -> bool:
    """Whether all of the picture is there, to the last coefficient.

    libjpeg takes what it lacks to be zero. So data that end early let a picture come out that
    depends on what is put behind them, and one cut between two scans has coefficients that were
    never brought to full precision.
    """
    data = os.pread(fd, os.fstat(fd).st_size, 0).removesuffix(b"\xff")  # half of the marker
    try:
        if not _is_precise(data):
            return False
        as_it_is = _pixels(data)
        more = (junk + _next_restart(data) + junk for junk in _JUNK)
        return all(_pixels(data + each) == as_it_is for each in more)
    except DAMAGE:
        return False


def _next_restart(data: bytes) -> bytes:
    """The marker without which nothing is decoded where data end with a restart interval."""
    last = data[data.rfind(b"\xff\xda") :]
    numbers = [each[1] for each in _RESTART.findall(last)]
    return bytes((0xFF, 0xD0 | (numbers[-1] + 1 & 7 if numbers else 0)))


def _pixels(data: bytes) -> bytes:
    """A digest of what *data* are decoded to."""
    digest = sha256()
    with open_file(io.BytesIO(data + jpeg.EOI_BYTES), "jpeg") as image:
        if image.width * image.height > MAX_PIXELS:
            msg = "too large to be decoded whole"
            raise ValueError(msg)
        for top in range(0, image.height, _ROWS):
            bottom = min(top + _ROWS, image.height)
            digest.update(image.crop((0, top, image.width, bottom)).tobytes())
    return digest.digest()


def _is_precise(data: bytes) -> bool:
    """Whether the scans bring every coefficient of every component to its last bit."""
    frame, finished = b"", set[tuple[int, int]]()
    for marker, body, _ in jpeg.parts(data + jpeg.EOI_BYTES):
        if marker in jpeg.FRAMES:
            frame = body
        elif marker == jpeg.SOS:
            finished.update(_finished(body[2:]))
    return finished.issuperset(product(frame[8::3], range(_COEFFICIENTS)))


def _finished(scan: bytes) -> Iterator[tuple[int, int]]:
    """Components and coefficients of which a scan brings the last bit (ITU-T T.81, B.2.3)."""
    ends = 1 + 2 * scan[0]
    first, last, bits = scan[ends : ends + 3]
    return product(scan[1:ends:2], range(first, last + 1) if not bits & 0xF else ())
