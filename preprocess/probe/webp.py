"""WebP chunks: what the picture is and what stands beside it. Layout: RFC 9649, 2 and 3.

Pillow 13.0 reads the whole file and makes a canvas to tell as much.
"""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.geometry import Size
from preprocess.probe.header import Header, exif_in, orientation_of
from preprocess.probe.survey import Survey, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD_BYTES, _CHUNK_HEAD_BYTES = 12, 8
_MAX_CHUNKS = 10_000
_MAX_BESIDE_BYTES = 4 << 20
_DELAY_AT = 12
_START_BYTES = 10
"""Of a chunk: enough for the head of any picture."""
_ICC, _ALPHA, _EXIF, _XMP, _ANIMATION = 0x20, 0x10, 0x08, 0x04, 0x02
_SIDE_MASK = 0x3FFF
_LOSSY_START, _LOSSLESS_START = b"\x9d\x01\x2a", 0x2F


def survey(fd: int, size: int) -> Survey:
    """Look at the heads of all chunks.

    Raises:
        ValueError, struct.error, IndexError: these are no chunks of a picture.
    """
    claimed = _claimed(fd)
    if claimed > size:
        return Survey(missing=part_of(size, claimed))
    # A chunk of odd length is followed by a byte of padding.
    private = {"trailing_data"} if size > claimed + 1 else set()
    return Survey(private=private, header=_Chunks(fd, claimed).header())


def delays(fd: int) -> Iterator[tuple[Fraction, int]]:
    """How long each picture of an animation says it is shown, in seconds, and its bytes (2.7.1.1).

    Raises:
        ValueError, struct.error, IndexError: these are no chunks.
    """
    for kind, offset, length in _walked(fd, _claimed(fd)):
        if kind == b"ANMF":
            delay_ms = int.from_bytes(os.pread(fd, 3, offset + _DELAY_AT), "little")
            yield Fraction(delay_ms, 1000), length


class _Chunks:
    """The first chunk of each kind, and how many frames there are."""

    def __init__(self, fd: int, end: int) -> None:
        self._fd = fd
        self._places: dict[bytes, tuple[int, int]] = {}
        self._frames = 0
        for kind, offset, length in _walked(fd, end):
            self._places.setdefault(kind, (offset, length))
            self._frames += kind == b"ANMF"
        self._flags = self._start(b"VP8X")[0] if b"VP8X" in self._places else 0

    def header(self) -> Header:
        size, clear = self._animation() if self._flags & _ANIMATION else self._still()
        xmp = self._beside(b"XMP ", _XMP)
        exif = exif_in(self._beside(b"EXIF", _EXIF), xmp)
        return Header(
            size=size,
            mode="RGBA" if clear else "RGB",
            bit_depth=8,
            transparent=clear,
            animated=self._frames > 1,
            orientation=orientation_of(exif),
            profile=self._beside(b"ICCP", _ICC),
            exif=exif,
            beside=frozenset({"xmp"} if xmp else ()),
        )

    def _animation(self) -> tuple[Size, bool]:
        if not self._frames:
            msg = "an animation without pictures"
            raise ValueError(msg)
        return self._canvas(), bool(self._flags & _ALPHA)

    def _still(self) -> tuple[Size, bool]:
        """Size, and whether there is transparency."""
        if b"VP8L" in self._places:
            size, clear = self._lossless()
        else:
            size, clear = self._lossy(), bool(self._flags & _ALPHA) or b"ALPH" in self._places
        if b"VP8X" in self._places and size != self._canvas():
            msg = f"a picture of {size} on a canvas of {self._canvas()}"
            raise ValueError(msg)
        return size, clear

    def _canvas(self) -> Size:
        start = self._start(b"VP8X")
        return Size(
            int.from_bytes(start[4:7], "little") + 1, int.from_bytes(start[7:10], "little") + 1
        )

    def _lossy(self) -> Size:
        """RFC 6386, 9.1: frame tag, start code, two sides of 14 bits."""
        start = self._start(b"VP8 ")
        if start[3:6] != _LOSSY_START:
            msg = "no key frame"
            raise ValueError(msg)
        width, height = struct.unpack_from("<HH", start, 6)
        return Size(width & _SIDE_MASK, height & _SIDE_MASK)

    def _lossless(self) -> tuple[Size, bool]:
        """RFC 9649, 3.4: signature, two sides of 14 bits less one, whether alpha is used."""
        signature, bits = struct.unpack_from("<BI", self._start(b"VP8L"))
        if signature != _LOSSLESS_START:
            msg = "no lossless picture"
            raise ValueError(msg)
        return Size((bits & _SIDE_MASK) + 1, (bits >> 14 & _SIDE_MASK) + 1), bool(bits >> 28 & 1)

    def _start(self, kind: bytes) -> bytes:
        if kind not in self._places:
            msg = f"no {kind.decode().strip()} chunk"
            raise ValueError(msg)
        offset, length = self._places[kind]
        start = os.pread(self._fd, min(length, _START_BYTES), offset)
        if len(start) < _START_BYTES:
            msg = f"a {kind.decode().strip()} chunk of {length} bytes"
            raise ValueError(msg)
        return start

    def _beside(self, kind: bytes, flag: int) -> bytes | None:
        """A chunk that counts only where the flags announce it, as for libwebp."""
        if not self._flags & flag or kind not in self._places:
            return None
        offset, length = self._places[kind]
        if length > _MAX_BESIDE_BYTES:
            msg = f"{length:,} bytes beside the picture"
            raise ValueError(msg)
        return os.pread(self._fd, length, offset) or None


def _claimed(fd: int) -> int:
    """How long the file says it is."""
    length: int = struct.unpack("<4xI", os.pread(fd, 8, 0))[0]
    return length + _CHUNK_HEAD_BYTES


def _walked(fd: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, offset of the content and its length of each chunk."""
    offset = _HEAD_BYTES
    for _ in range(_MAX_CHUNKS):
        if offset + _CHUNK_HEAD_BYTES > end:
            return
        kind, length = struct.unpack("<4sI", os.pread(fd, _CHUNK_HEAD_BYTES, offset))
        offset += _CHUNK_HEAD_BYTES
        if offset + length > end:
            msg = f"a chunk that runs {offset + length - end:,} bytes past the end"
            raise ValueError(msg)
        yield kind, offset, length
        offset += length + length % 2
    msg = f"more than {_MAX_CHUNKS} chunks"
    raise ValueError(msg)
