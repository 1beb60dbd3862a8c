"""PNG chunks: what is stored beside the picture, and the file without it.

Layout: Portable Network Graphics, third edition (W3C, 2025-06-24), 5 and 11.
"""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.probe.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_CHUNKS = 100_000
_MAX_EXIF_BYTES = 1 << 20
_SIGNATURE_BYTES = 8
_DELAY_END = 32
"""Of an ``fcTL``: behind length, type, number, size and place stand two halves of a fraction."""
_PICTURE = {
    b"IHDR",
    b"PLTE",
    b"IDAT",
    b"IEND",
    b"tRNS",
    b"sRGB",
    b"gAMA",
    b"cHRM",
    b"sBIT",
    b"pHYs",
}
_HARMLESS = _PICTURE | {b"iCCP", b"bKGD", b"hIST", b"sPLT", b"cICP", b"mDCV", b"cLLI"}
_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
_TOPICS = {b"tEXt": "text", b"zTXt": "text", b"iTXt": "text", b"tIME": "date", b"caBX": "c2pa"}


def survey(fd: int, size: int) -> Survey:
    """Look at all chunks' heads.

    Raises:
        ValueError: these are no chunks.
    """
    private: set[str] = set()
    points: tuple[int, int] | None = None
    exif: bytes | None = None
    offset = _SIGNATURE_BYTES
    for _ in range(_MAX_CHUNKS):
        head = os.pread(fd, 8, offset)
        if len(head) < 8 or offset + 12 > size:  # noqa: PLR2004 - length, type and check
            return Survey(private=private, missing="the end of the picture")
        length, kind = struct.unpack(">I4s", head)
        if kind == b"cICP" and length == 4:  # noqa: PLR2004 - four code points
            points = struct.unpack("BB", os.pread(fd, 2, offset + 8))
        if kind == b"eXIf" and length <= _MAX_EXIF_BYTES:
            exif = os.pread(fd, length, offset + 8)
        offset += 12 + length
        if offset > size:
            return Survey(private=private, missing="the end of the picture")
        if kind == b"IEND":
            if offset < size:
                private.add("trailing_data")
            return Survey(private=private, code_points=points, exif=exif)
        if kind not in _HARMLESS and kind not in _ANIMATION and kind != b"eXIf":
            private.add(_TOPICS.get(kind, f"chunk:{kind.decode('latin-1')}"))
    msg = f"more than {_MAX_CHUNKS} chunks"
    raise ValueError(msg)


def delays(fd: int) -> Iterator[tuple[Fraction, int]]:
    """How long each picture of an animation says it is shown, in seconds, and its bytes.

    A picture before the first ``fcTL`` is for readers that know no animations, and left out (4.9).
    """
    offset, shown, stored = _SIGNATURE_BYTES, None, 0
    for _ in range(_MAX_CHUNKS):
        head = os.pread(fd, _DELAY_END, offset)
        if len(head) < 8:  # noqa: PLR2004 - length and type
            return
        length, kind = struct.unpack_from(">I4s", head)
        if kind in (b"fcTL", b"IEND") and shown is not None:
            yield shown, stored
        if kind == b"IEND":
            return
        if kind == b"fcTL" and len(head) == _DELAY_END:
            over, under = struct.unpack_from(">HH", head, _DELAY_END - 4)
            shown, stored = Fraction(over, under or 100), 0
        stored += length if kind in (b"IDAT", b"fdAT") else 0
        offset += 12 + length


def stripped(data: bytes) -> bytes:
    """The file without anything but the picture and its colour.

    Raises:
        ValueError: the structure is broken.
    """
    parts, offset = [data[:_SIGNATURE_BYTES]], _SIGNATURE_BYTES
    for _ in range(_MAX_CHUNKS):
        if offset + 12 > len(data):
            msg = "the picture has no end"
            raise ValueError(msg)
        length, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        if kind in _PICTURE:
            parts.append(data[offset:end])
        if kind == b"IEND":
            return b"".join(parts)
        offset = end
    msg = f"more than {_MAX_CHUNKS} chunks"
    raise ValueError(msg)
