"""PNG chunks: what is stored beside the picture, and the file without it.

Layout: Portable Network Graphics, third edition (W3C, 2025-06-24), 5 and 11.
"""

from __future__ import annotations

import os
import struct

from preprocess.probe.survey import Survey

_MAX_CHUNKS = 100_000
_MAX_EXIF_BYTES = 1 << 20
_SIGNATURE_BYTES = 8
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
