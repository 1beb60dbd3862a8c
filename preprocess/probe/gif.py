"""GIF blocks: how many pictures, and whether they hide what is behind them; nothing is decoded.

Layout: GIF89a specification (CompuServe, 1990).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from preprocess.probe.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE_BYTES = 1 << 16
_MAX_EXTENSIONS = 1000
_HEADER_BYTES, _DESCRIPTOR_BYTES, _EXTENSION_BYTES = 13, 10, 4
_EXTENSION, _PICTURE, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9
_CLEARED = 2
"""Disposal: what the picture covered is taken away before the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the first pictures of a file are."""

    alpha: bool
    """Something transparent may be left when they are laid on each other."""
    whole: int
    """Pictures whose data is inside the file."""
    stray: bool
    """Before the trailer there is something that is no block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    fills: bool
    """It covers the whole screen."""
    clear: bool
    """One of its colours is transparent."""
    disposal: int
    whole: bool
    """All its data is inside the file."""


class _StrayError(ValueError):
    """Before the trailer comes something that is no block."""


def survey(fd: int, _size: int) -> Survey:
    """Look at the first two pictures; Pillow decodes the first one to find the second.

    Raises:
        ValueError: more blocks than anybody needs.
    """
    found, _ = _first(fd, 2)
    if not found:
        return Survey(animated=False, missing="the picture")
    missing = None if found[0].whole else "the end of the picture"
    return Survey(animated=len(found) > 1, missing=missing)


def look(fd: int, count: int) -> Look:
    """Look at the first *count* pictures.

    Raises:
        ValueError: more blocks between two of them than anybody needs.
    """
    found, stray = _first(fd, count)
    bare = not found or found[0].clear or not found[0].fills
    cleared = any(picture.clear and picture.disposal == _CLEARED for picture in found)
    whole = sum(picture.whole for picture in found)
    return Look(alpha=bare or cleared, whole=whole, stray=stray)


def _first(fd: int, count: int) -> tuple[list[_Picture], bool]:
    """Up to *count* pictures, and whether something else ended them."""
    found = []
    try:
        for picture in islice(_pictures(fd), count):
            found.append(picture)  # noqa: PERF402 - those before the end are wanted too
    except _StrayError:
        return found, True
    return found, False


def _pictures(fd: int) -> Iterator[_Picture]:
    """The pictures, in order; the last one may be torn."""
    head = os.pread(fd, _HEADER_BYTES, 0)
    if len(head) < _HEADER_BYTES:
        return
    width, height, packed = struct.unpack_from("<HHB", head, 6)
    control = extensions = 0
    for kind, offset, end in _blocks(fd, _HEADER_BYTES + _table_bytes(packed)):
        if kind == _PICTURE:
            x, y, across, down = struct.unpack("<4H", os.pread(fd, 8, offset + 1))
            yield _Picture(
                fills=x == y == 0 and across >= width and down >= height,
                clear=bool(control & 1),
                disposal=control >> 2 & 7,
                whole=end is not None,
            )
            control = extensions = 0
            continue
        label, _, flags = os.pread(fd, 3, offset + 1)
        control = flags if label == _CONTROL else control
        extensions += 1
        if extensions > _MAX_EXTENSIONS:
            msg = f"more than {_MAX_EXTENSIONS} extensions before a picture"
            raise ValueError(msg)


def _blocks(fd: int, offset: int) -> Iterator[tuple[int, int, int | None]]:
    """Kind, start and end of each block from *offset* to the trailer; the end may be missing.

    Nothing comes of a block whose head is not all there.

    Raises:
        _StrayError: there is something else.
    """
    while True:
        head = os.pread(fd, _DESCRIPTOR_BYTES, offset)
        kind = head[0] if head else _TRAILER
        if kind == _EXTENSION and len(head) >= _EXTENSION_BYTES:
            end = _behind_blocks(fd, offset + 2)
        elif kind == _PICTURE and len(head) == _DESCRIPTOR_BYTES:
            # The smallest code size stands before the data.
            end = _behind_blocks(fd, offset + _DESCRIPTOR_BYTES + _table_bytes(head[9]) + 1)
        elif kind in (_EXTENSION, _PICTURE, _TRAILER):
            return  # the end, or a head that is torn
        elif head.startswith(b"\0") and head.strip(b"\0"):
            offset += 1  # encoders end their blocks twice
            continue
        else:
            raise _StrayError(offset)
        yield kind, offset, end
        if end is None:
            return
        offset = end


def _behind_blocks(fd: int, offset: int) -> int | None:
    """Where the blocks end that begin at *offset*, each with its length before it."""
    while piece := os.pread(fd, _PIECE_BYTES, offset):
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
        offset += at
    return None


def _table_bytes(packed: int) -> int:
    """Size of the colour table that a packed field announces."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0
