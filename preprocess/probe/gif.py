"""GIF blocks: whether a second picture follows. Layout: GIF89a specification (CompuServe, 1990)."""

from __future__ import annotations

import os

from preprocess.probe.survey import Survey

_MOST_BYTES = 1 << 22
"""Walked at most: a first picture that is larger is taken for one of an animation."""
_PIECE_BYTES = 1 << 16
_MAX_BLOCKS = 1000
_HEADER_BYTES, _DESCRIPTOR_BYTES = 13, 10
_EXTENSION, _PICTURE = 0x21, 0x2C


def survey(fd: int, size: int) -> Survey:
    """Look at the blocks up to the second picture; Pillow decodes the first one to find it.

    Raises:
        ValueError: more blocks than anybody needs.
    """
    pictures, offset = 0, 0
    try:
        offset = _HEADER_BYTES + _table_bytes(_byte(fd, 10))
        for _ in range(_MAX_BLOCKS):
            kind = _byte(fd, offset)
            if kind == _PICTURE:
                pictures += 1
                if pictures > 1:
                    return Survey(animated=True)
                # The smallest code size stands before the data.
                offset += _DESCRIPTOR_BYTES + _table_bytes(_byte(fd, offset + 9)) + 1
            elif kind == _EXTENSION:
                offset += 2
            else:
                return Survey(animated=False)  # the trailer, or nothing we know
            offset = _behind_blocks(fd, offset)
            if offset > _MOST_BYTES:
                return Survey(animated=True)
    except IndexError:
        only_trailer = pictures == 1 and offset == size
        return Survey(animated=False, missing=None if only_trailer else "the end of the picture")
    msg = f"more than {_MAX_BLOCKS} extensions before a second picture"
    raise ValueError(msg)


def _byte(fd: int, offset: int) -> int:
    return os.pread(fd, 1, offset)[0]


def _behind_blocks(fd: int, offset: int) -> int:
    """Where the blocks end that begin at *offset*, each with its length before it.

    Raises:
        IndexError: the file ends first.
    """
    while offset <= _MOST_BYTES:
        piece = os.pread(fd, _PIECE_BYTES, offset)
        at = 0
        while at < len(piece):
            # All but a few blocks are as long as can be: a run of those is one step.
            lengths = piece[at::256]
            at += 256 * (len(lengths) - len(lengths.lstrip(b"\xff")))
            if at >= len(piece):
                break
            length = piece[at]
            at += 1 + length
            if not length:
                return offset + at
        if not piece:
            raise IndexError(offset)
        offset += at
    return offset


def _table_bytes(packed: int) -> int:
    """Size of the colour table that a packed field announces."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0
