"""Boxes of ISO base media files and their bounds: a reader that never follows them too far.

Layout: ISO/IEC 14496-12:2022, 4.2.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BOXES = 100_000
MAX_DEPTH = 16
MAX_INDEX_BYTES = 64 << 20
"""A two-hour film has some hundred boxes, five levels and about 10 MB of index."""


class BoxError(Exception):
    """The box structure is broken; ``truncated`` when it only ends too early."""

    def __init__(self, message: str, *, truncated: bool = False) -> None:
        super().__init__(message)
        self.truncated = truncated


class Reader:
    """Reads from a descriptor, and counts."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        self.bytes_read = 0
        self.boxes = 0

    def read(self, offset: int, length: int) -> bytes:
        """Up to *length* bytes, fewer at the end of the file."""
        data = b""
        while len(data) < length:
            piece = os.pread(self.fd, length - len(data), offset + len(data))
            if not piece:
                break
            data += piece
        self.bytes_read += len(data)
        return data

    def count_box(self) -> None:
        """Raise BoxError for one box too many."""
        self.boxes += 1
        if self.boxes > MAX_BOXES:
            msg = f"more than {MAX_BOXES} boxes"
            raise BoxError(msg)


def top_level(reader: Reader) -> Iterator[tuple[bytes, int, int, int]]:
    """(kind, offset, bytes of the header, end as claimed) of the boxes of the file."""
    offset = 0
    while offset + 8 <= reader.size:
        reader.count_box()
        head = reader.read(offset, 16)
        length, kind = struct.unpack_from(">I4s", head)
        header = 8
        if length == 1:
            if len(head) < 16:
                return
            length, header = struct.unpack_from(">Q", head, 8)[0], 16
        elif length == 0:
            length = reader.size - offset
        if length < header:
            msg = f"box {name_of(kind)} at {offset} claims {length} bytes"
            raise BoxError(msg)
        yield kind, offset, header, offset + length
        offset += length


def children(
    data: memoryview, reader: Reader, start: int = 0
) -> Iterator[tuple[bytes, memoryview]]:
    """(kind, content) of the boxes in *data*, up to the first that is broken."""
    offset = start
    while offset + 8 <= len(data):
        reader.count_box()
        length, kind = struct.unpack_from(">I4s", data, offset)
        header = 8
        if length == 1 and offset + 16 <= len(data):
            length, header = struct.unpack_from(">Q", data, offset + 8)[0], 16
        elif length == 0:
            length = len(data) - offset
        if length < header or offset + length > len(data):
            return
        yield kind, data[offset + header : offset + length]
        offset += length


def name_of(code: bytes) -> str:
    """A four-character code as text."""
    return code.decode("latin-1").replace("\0", " ")
