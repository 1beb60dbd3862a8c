"""PNG chunks: what is stored beside the picture, and the file without it.

Layout: Portable Network Graphics, third edition (W3C, 2025-06-24), 5 and 11.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.probe.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_CHUNKS = 100_000
_MAX_EXIF_BYTES = 1 << 20
_SIGNATURE_BYTES = 8
_CONTROL_BYTES = 34
"""An ``fcTL`` without its check sum."""
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
    pictures = 0
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
        pictures += kind == b"fcTL"
        offset += 12 + length
        if offset > size:
            return Survey(private=private, missing="the end of the picture")
        if kind == b"IEND":
            if offset < size:
                private.add("trailing_data")
            return Survey(private=private, code_points=points, exif=exif, animated=pictures > 1)
        if kind not in _HARMLESS and kind not in _ANIMATION and kind != b"eXIf":
            private.add(_TOPICS.get(kind, f"chunk:{kind.decode('latin-1')}"))
    msg = f"more than {_MAX_CHUNKS} chunks"
    raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture of an animation (4.9 and 11.3.6.2)."""

    delay_s: Fraction
    """How long it says it is shown."""
    size: int
    """Bytes of its data."""
    over: bool
    """It is laid on what was before."""


def frames(fd: int) -> Iterator[Frame]:
    """The pictures of an animation.

    One before the first ``fcTL`` is for readers that know no animations, and left out.
    """
    offset, found = _SIGNATURE_BYTES, None
    for _ in range(_MAX_CHUNKS):
        head = os.pread(fd, _CONTROL_BYTES, offset)
        if len(head) < 8:  # noqa: PLR2004 - length and type
            return
        length, kind = struct.unpack_from(">I4s", head)
        if kind in (b"fcTL", b"IEND") and found is not None:
            yield found
        if kind == b"IEND":
            return
        if kind == b"fcTL" and len(head) == _CONTROL_BYTES:
            over, under, blend = struct.unpack_from(">HHxB", head, 28)
            found = Frame(delay_s=Fraction(over, under or 100), size=0, over=blend == 1)
        elif kind in (b"IDAT", b"fdAT") and found is not None:
            found = replace(found, size=found.size + length)
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
