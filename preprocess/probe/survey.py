"""What stands in an image file beside its pixels, and whether all of it is there; no decoding."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.probe.boxes import BoxError, Reader, top_level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

_RIFF_HEAD_BYTES = 8
_BMP_HEAD_BYTES, _BMP_INFO_BYTES = 54, 40
_BMP_PLAIN = {0, 3, 6}
"""No compression, and none with masks: BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS."""
_PICTURE_BOXES = {b"ftyp", b"meta", b"mdat", b"moov"}
# TIFF 6.0, section 8 and 15: where strips and tiles are, and how long.
_TIFF_PARTS = ((273, 279), (324, 325))


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What an image file holds beside its pixels."""

    private: set[str] = field(default_factory=set)
    missing: str | None = None
    """What a cut-off file lacks, for people."""
    code_points: tuple[int, int] | None = None
    """Colour primaries and transfer function, ITU-T H.273, where the format states them."""
    coding: str | None = None
    """The process of a JPEG: ``baseline``, ``progressive`` …"""
    exif: bytes | None = None
    """Where Pillow reads it only together with the pixels."""
    animated: bool | None = None
    """Where Pillow has to decode to know."""


def survey_webp(fd: int, size: int) -> Survey:
    """RIFF states the length of the file (RFC 9649, 2.3)."""
    claimed = struct.unpack_from("<4xI", os.pread(fd, _RIFF_HEAD_BYTES, 0))[0] + _RIFF_HEAD_BYTES
    if claimed > size:
        return Survey(missing=_part(size, claimed))
    # A chunk of odd length is followed by a byte of padding.
    return Survey(private={"trailing_data"} if size > claimed + 1 else set())


def webp_delays(fd: int) -> Iterator[tuple[Fraction, int]]:
    """How long each ``ANMF`` picture says it is shown, in seconds, and its bytes (2.7.1.1)."""
    offset = _RIFF_HEAD_BYTES + 4
    while len(head := os.pread(fd, 24, offset)) >= _RIFF_HEAD_BYTES:
        kind, length = struct.unpack_from("<4sI", head)
        if kind == b"ANMF" and len(head) == 24:  # noqa: PLR2004 - the delay is at 12 of the body
            yield Fraction(int.from_bytes(head[20:23], "little"), 1000), length
        offset += _RIFF_HEAD_BYTES + length + length % 2


def survey_bmp(fd: int, size: int) -> Survey:
    """Rows of uncompressed pixels have a known length (BITMAPINFOHEADER)."""
    head = os.pread(fd, _BMP_HEAD_BYTES, 0)
    if len(head) < _BMP_HEAD_BYTES:
        return Survey(missing=_part(size, _BMP_HEAD_BYTES))
    start, info, width, height, bits, coding = struct.unpack_from("<10xIIii2xHI", head)
    if info < _BMP_INFO_BYTES or coding not in _BMP_PLAIN or width <= 0:
        return Survey()
    claimed = start + (width * bits + 31) // 32 * 4 * abs(height)
    return Survey(missing=_part(size, claimed) if claimed > size else None)


def survey_boxes(fd: int, size: int) -> Survey:
    """The boxes of HEIF and AVIF state their lengths; a cut leaves the last one short.

    Phones append what is no box at all.
    """
    end = 0
    with suppress(BoxError):
        for kind, _, _, claimed in top_level(Reader(fd, size)):
            end = claimed if kind in _PICTURE_BOXES else end
    return Survey(missing=_part(size, end) if end > size else None)


def missing_of_tiff(image: Image.Image, size: int) -> str | None:
    """What strips or tiles lack; their places are in the directory."""
    tags = getattr(image, "tag_v2", {})
    ends = [
        start + length
        for where, lengths in _TIFF_PARTS
        for start, length in zip(tags.get(where, ()), tags.get(lengths, ()), strict=False)
    ]
    end = max(ends, default=0)
    return _part(size, end) if end > size else None


def _part(size: int, claimed: int) -> str:
    return f"{size:,} of {claimed:,} bytes are there: the rest"
