"""GIF blocks: whether a second picture follows. Layout: GIF89a specification (CompuServe, 1990)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_BYTES = 1 << 22
"""Walked at most: a first picture that is larger is taken for one of an animation."""
_PIECE_BYTES = 1 << 16
_HEADER_BYTES, _DESCRIPTOR_BYTES = 13, 10
_EXTENSION, _PICTURE, _TRAILER = 0x21, 0x2C, 0x3B


def is_animated(fd: int) -> bool:
    """Whether there is more than one picture; Pillow decodes the first one to find out."""
    byte = _reader(fd)
    pictures, offset = 0, 0
    try:
        offset = _HEADER_BYTES + _table_bytes(byte(10))
        while byte(offset) != _TRAILER:
            if byte(offset) == _PICTURE:
                pictures += 1
                if pictures > 1:
                    return True
                # The smallest code size stands before the data.
                offset += _DESCRIPTOR_BYTES + _table_bytes(byte(offset + 9)) + 1
            elif byte(offset) == _EXTENSION:
                offset += 2
            else:
                return False
            while length := byte(offset):
                offset += 1 + length
            offset += 1
    except IndexError:
        return offset > _MOST_BYTES
    return False


def _reader(fd: int) -> Callable[[int], int]:
    """A byte of the file by its offset; IndexError behind the end, or behind what is walked."""
    start, piece = 0, b""

    def byte(offset: int) -> int:
        nonlocal start, piece
        if not start <= offset < start + len(piece):
            start, piece = (
                offset,
                os.pread(fd, _PIECE_BYTES, offset)[: max(0, _MOST_BYTES + 1 - offset)],
            )
        return piece[offset - start]

    return byte


def _table_bytes(packed: int) -> int:
    """Size of the colour table that a packed field announces."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0
