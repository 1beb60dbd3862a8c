"""What stands in an image file beside its pixels, and whether all of it is there; no decoding."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from preprocess.probe.header import Header

if TYPE_CHECKING:
    from PIL import Image

_BMP_HEAD_BYTES, _BMP_INFO_BYTES = 54, 40
_BMP_PLAIN = {0, 3, 6}
"""No compression, and none with masks: BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS."""
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
    scalable: bool = False
    """A JPEG whose decoder does not have to hold all of it."""
    exif: bytes | None = None
    """Where Pillow reads it only together with the pixels."""
    animated: bool | None = None
    """Where Pillow has to decode to know."""
    header: Header | None = None
    """All that Pillow would be asked, where it reads the whole file to tell."""


def survey_bmp(fd: int, size: int) -> Survey:
    """Rows of uncompressed pixels have a known length (BITMAPINFOHEADER)."""
    head = os.pread(fd, _BMP_HEAD_BYTES, 0)
    if len(head) < _BMP_HEAD_BYTES:
        return Survey(missing=part_of(size, _BMP_HEAD_BYTES))
    start, info, width, height, bits, coding = struct.unpack_from("<10xIIii2xHI", head)
    if info < _BMP_INFO_BYTES or coding not in _BMP_PLAIN or width <= 0:
        return Survey()
    claimed = start + (width * bits + 31) // 32 * 4 * abs(height)
    return Survey(missing=part_of(size, claimed) if claimed > size else None)


def missing_of_tiff(image: Image.Image, size: int) -> str | None:
    """What strips or tiles lack; their places are in the directory."""
    tags = getattr(image, "tag_v2", {})
    ends = [
        start + length
        for where, lengths in _TIFF_PARTS
        for start, length in zip(tags.get(where, ()), tags.get(lengths, ()), strict=False)
    ]
    end = max(ends, default=0)
    return part_of(size, end) if end > size else None


def part_of(size: int, claimed: int) -> str:
    """What is missing of a file that should have *claimed* bytes, for people."""
    return f"{size:,} of {claimed:,} bytes are there: the rest"
