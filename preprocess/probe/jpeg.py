"""JPEG segments: what is stored beside the picture, and the file without it.

Layout: ITU-T T.81, annex B. Nothing here decodes a pixel.
"""

from __future__ import annotations

import os
import re
import struct
from typing import TYPE_CHECKING

from preprocess.probe.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_SEGMENTS = 10_000
_PIECE_BYTES = 1 << 16
EOI_BYTES = b"\xff\xd9"
NO_END = "the end of the picture"
_SOI, _EOI, SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP13, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF
# ITU-T T.81, table B.1; what is not here is arithmetic.
_CODINGS = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive", 0xC3: "lossless"}
_CODINGS |= {0xC5: "hierarchical", 0xC6: "hierarchical", 0xC7: "hierarchical"}
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD8)}
_COMPONENTS = 9
"""Where a frame header, from its marker on, says how many there are."""
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")


def survey(fd: int, size: int) -> Survey:
    """Look at the segments before the first scan, and for the end.

    Raises:
        ValueError: these are no segments.
    """
    private: set[str] = set()
    coding: str | None = None
    scan, frame = None, 0
    for offset, marker in _segments(fd):
        if marker in FRAMES:
            coding, frame = _CODINGS.get(marker, "arithmetic"), offset
        topic = _topic(marker, os.pread(fd, 40, offset + 4))
        if topic is not None:
            private.add(topic)
        scan = offset if marker == SOS else None
    if scan is None:
        return Survey(private=private, missing="all behind its headers")
    if os.pread(fd, 2, max(scan, size - 2)) != EOI_BYTES:
        # Motion photos have their clip behind the end, others are cut off.
        if not _is_whole(fd, scan):
            return Survey(private=private, coding=coding, missing=NO_END)
        private.add("trailing_data")
    # A scan with all components is decoded row by row; of others libjpeg holds all coefficients.
    components = os.pread(fd, 1, frame + _COMPONENTS), os.pread(fd, 1, scan + 4)
    one_scan = coding in ("baseline", "extended") and components[0] == components[1]
    return Survey(private=private, coding=coding, scalable=one_scan)


def _segments(fd: int) -> Iterator[tuple[int, int]]:
    """Offset and marker of the segments up to the first scan, or to where the file ends."""
    offset = 2
    for _ in range(_MAX_SEGMENTS):
        head = os.pread(fd, 4, offset)
        if len(head) < 4:  # noqa: PLR2004 - marker and length
            return
        if head[0] != 0xFF:  # noqa: PLR2004 - each marker's first byte
            msg = f"no marker at {offset}"
            raise ValueError(msg)
        marker = head[1]
        if marker == 0xFF:  # noqa: PLR2004 - fill byte
            offset += 1
        elif marker in _ALONE or marker == _SOI:
            offset += 2
        else:
            yield offset, marker
            if marker == SOS:
                return
            offset += 2 + struct.unpack_from(">H", head, 2)[0]
    msg = f"more than {_MAX_SEGMENTS} segments"
    raise ValueError(msg)


def _is_whole(fd: int, start: int) -> bool:
    """Whether the picture that begins at *start* has an end; coded data never look like one."""
    piece = b""
    while True:
        # The marker may lie across two pieces.
        more = os.pread(fd, _PIECE_BYTES, start)
        if not more:
            return False
        piece = piece[-1:] + more
        if EOI_BYTES in piece:
            return True
        start += len(more)


_KNOWN = (
    # segment, its first bytes, what it tells; EXIF and ICC are looked into elsewhere
    (_COM, b"", "comment"),
    (_APP0, b"", "thumbnail"),
    (_APP1, b"Exif\0", None),
    (_APP1, b"http://ns.adobe.com/", "xmp"),
    (_APP2, b"ICC_PROFILE\0", None),
    (_APP2, b"MPF\0", "embedded_images"),
    (_APP13, b"", "iptc"),
    (_APP14, b"", None),
)


_JFIF_SIDES = slice(12, 14)
"""Width and height of the thumbnail in a JFIF header."""


def _topic(marker: int, start: bytes) -> str | None:
    """What a segment tells of, if anything."""
    if marker == _APP0 and start.startswith(b"JFIF\0"):
        return "thumbnail" if all(start[_JFIF_SIDES]) else None
    for known, signature, topic in _KNOWN:
        if marker == known and start.startswith(signature):
            return topic
    return f"app{marker - _APP0}" if _APP0 <= marker <= _APP15 else None


def stripped(data: bytes) -> bytes:
    """The file without anything but the picture: JFIF, Adobe's colour marker and the coding.

    Raises:
        ValueError: the structure is broken.
    """
    kept = [data[:2]]
    for marker, body, coded in parts(data):
        if _is_picture(marker, body[2:7]):
            kept += [bytes((0xFF, marker)), _jfif(body) if marker == _APP0 else body, coded]
    return b"".join([*kept, EOI_BYTES])


def parts(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The segments up to the end of the picture: marker, content, and the data of a scan.

    Raises:
        ValueError: the structure is broken.
    """
    offset = 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.match(data, offset)
        if found is None:
            msg = f"no marker at {offset}"
            raise ValueError(msg)
        marker, start = found[1][0], found.end()
        if marker == _EOI:
            return
        end = offset = start + int.from_bytes(data[start : start + 2])
        if end < start + 2:
            msg = f"a segment without a length at {start - 2}"
            raise ValueError(msg)
        if marker == SOS:
            scan = _MARKER.search(data, end)
            if scan is None:
                msg = "the picture has no end"
                raise ValueError(msg)
            offset = scan.start()
        yield marker, data[start:end], data[end:offset]
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
