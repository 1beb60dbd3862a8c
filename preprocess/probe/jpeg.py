"""JPEG segments: what is stored beside the picture, and the file without it.

Layout: ITU-T T.81, annex B. Nothing here decodes a pixel.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass

_MAX_SEGMENTS = 10_000
_TAIL_BYTES = 1 << 16
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP13, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF
_ALONE = {0x01, *range(0xD0, 0xD8)}
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")


@dataclass(frozen=True, slots=True)
class Survey:
    """What an image file holds beside its pixels."""

    private: set[str]
    missing: str | None
    """What a cut-off file lacks, for people."""
    code_points: tuple[int, int] | None = None
    """Colour primaries and transfer function, ITU-T H.273, where the format states them."""
    exif: bytes | None = None
    """Where Pillow reads it only together with the pixels."""


def survey(fd: int, size: int) -> Survey:
    """Look at the segments before the first scan, and at the end.

    Raises:
        ValueError: these are no segments.
    """
    private: set[str] = set()
    offset = 2
    for _ in range(_MAX_SEGMENTS):
        head = os.pread(fd, 4, offset)
        if len(head) < 4:  # noqa: PLR2004 - marker and length
            return Survey(private, "the picture: only headers are there")
        if head[0] != 0xFF:  # noqa: PLR2004 - each marker's first byte
            msg = f"no marker at {offset}"
            raise ValueError(msg)
        marker = head[1]
        if marker == 0xFF:  # noqa: PLR2004 - fill byte
            offset += 1
            continue
        if marker == _SOS:
            break
        if marker in _ALONE or marker == _SOI:
            offset += 2
            continue
        length = struct.unpack_from(">H", head, 2)[0]
        topic = _topic(marker, os.pread(fd, 40, offset + 4))
        if topic is not None:
            private.add(topic)
        offset += 2 + length
    else:
        msg = f"more than {_MAX_SEGMENTS} segments"
        raise ValueError(msg)
    return _with_end(fd, size, private)


def _with_end(fd: int, size: int, private: set[str]) -> Survey:
    tail = os.pread(fd, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    if not tail.endswith(b"\xff\xd9"):
        if b"\xff\xd9" not in tail:
            return Survey(private, "the end of the picture")
        private.add("trailing_data")
    return Survey(private, None)


_KNOWN = (
    # segment, its first bytes, what it tells; EXIF and ICC are looked into elsewhere
    (_COM, b"", "comment"),
    (_APP0, b"JFIF\0", None),
    (_APP0, b"", "thumbnail"),
    (_APP1, b"Exif\0", None),
    (_APP1, b"http://ns.adobe.com/", "xmp"),
    (_APP2, b"ICC_PROFILE\0", None),
    (_APP2, b"MPF\0", "embedded_images"),
    (_APP13, b"", "iptc"),
    (_APP14, b"", None),
)


def _topic(marker: int, start: bytes) -> str | None:
    """What a segment tells of, if anything."""
    for known, signature, topic in _KNOWN:
        if marker == known and start.startswith(signature):
            return topic
    return f"app{marker - _APP0}" if _APP0 <= marker <= _APP15 else None


def stripped(data: bytes) -> bytes:
    """The file without anything but the picture: JFIF, Adobe's colour marker and the coding.

    Raises:
        ValueError: the structure is broken.
    """
    parts, offset = [data[:2]], 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.match(data, offset)
        if found is None:
            msg = f"no marker at {offset}"
            raise ValueError(msg)
        marker, start = found[1][0], found.end()
        if marker == _EOI:
            return b"".join([*parts, b"\xff\xd9"])
        length = struct.unpack_from(">H", data, start)[0]
        end = start + length
        if _is_picture(marker, data[start + 2 : start + 7]):
            body = data[start:end]
            parts.append(b"\xff" + found[1] + (_jfif(body) if marker == _APP0 else body))
        if marker == _SOS:
            scan = _MARKER.search(data, end)
            if scan is None:
                msg = "the picture has no end"
                raise ValueError(msg)
            parts.append(data[end : scan.start()])
            end = scan.start()
        offset = end
    msg = f"more than {_MAX_SEGMENTS} segments"
    raise ValueError(msg)


def _is_picture(marker: int, start: bytes) -> bool:
    if marker == _APP0:
        return start == b"JFIF\0"
    if marker == _APP14:
        return start == b"Adobe"
    return not (_APP0 <= marker <= _APP15) and marker != _COM


def _jfif(body: bytes) -> bytes:
    """A JFIF header without its thumbnail."""
    return struct.pack(">H", 16) + body[2:14] + b"\0\0"
