"""Headers of H.264 slices: which picture they are of, and when it is shown.

ITU-T H.264 (08/2021), 7.3.2.1.1 (sequence parameter set), 7.3.3 (slice header).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SLICES = {1, 5}
_INSTANT = 5
_SPS = 7
_HEADER_BYTES = 32
"""A slice header says what is asked for within so many bytes."""
_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles whose parameter sets say more about chroma and scaling."""
_CHROMA_444 = 3


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence parameter set says about slice headers."""

    frame_num_bits: int
    separate_planes: bool
    frames_only: bool
    order_kind: int
    """How the order of pictures is told: 0 counts, 1 by a cycle, 2 as they are coded."""
    order_bits: int
    """Of a count, for kind 0."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The first slice of a picture."""

    instant: bool
    """Nothing before it is shown after it (IDR)."""
    reference: bool
    """Others refer to it."""
    frame_num: int
    bottom: bool | None
    """Which field; ``None`` for a frame."""
    order: int
    """The count that pictures are shown by, modulo its bits; 0 where it is told otherwise."""


class _Bits:
    """Reads a NAL unit's payload bit by bit; beyond its end there are zeros."""

    def __init__(self, payload: bytes) -> None:
        clean = payload.replace(b"\0\0\3", b"\0\0")  # emulation prevention, 7.4.1
        self._value = int.from_bytes(clean, "big")
        self._left = 8 * len(clean)

    def read(self, count: int) -> int:
        self._left -= count
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & (1 << count) - 1

    def unsigned(self) -> int:
        """Exp-Golomb, 9.1; no value that matters here has more than 16 leading zeros."""
        zeros = 0
        while not self.read(1) and zeros < 17:
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        value = self.unsigned()
        return (value + 1) // 2 if value % 2 else -(value // 2)


def sequence_of(units: Iterable[bytes]) -> Sequence | None:
    """The first sequence parameter set among *units*."""
    return next((_sequence(unit) for unit in units if unit and unit[0] & 31 == _SPS), None)


def _sequence(unit: bytes) -> Sequence:
    bits = _Bits(unit[1:])
    profile = bits.read(8)
    bits.read(16)
    bits.unsigned()
    separate = profile in _WITH_CHROMA and _skip_chroma(bits)
    frame_num_bits = bits.unsigned() + 4
    order_kind = bits.unsigned()
    order_bits = bits.unsigned() + 4 if order_kind == 0 else 0
    if order_kind == 1:
        _skip_cycle(bits)
    bits.unsigned()
    bits.read(1)
    bits.unsigned()
    bits.unsigned()
    return Sequence(frame_num_bits, separate, bool(bits.read(1)), order_kind, order_bits)


def _skip_chroma(bits: _Bits) -> bool:
    """Whether colour planes are coded apart."""
    chroma = bits.unsigned()
    separate = bool(chroma == _CHROMA_444 and bits.read(1))
    bits.unsigned()
    bits.unsigned()
    bits.read(1)
    if bits.read(1):
        for number in range(12 if chroma == _CHROMA_444 else 8):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return separate


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_cycle(bits: _Bits) -> None:
    bits.read(1)
    bits.signed()
    bits.signed()
    for _ in range(min(bits.unsigned(), 255)):
        bits.signed()


def first_slices(units: Iterable[bytes], sequence: Sequence) -> Iterator[Slice]:
    """The first slices of the pictures, or fields, among *units*."""
    for unit in units:
        if unit and unit[0] & 31 in _SLICES:
            bits = _Bits(unit[1:_HEADER_BYTES])
            if not bits.unsigned():  # the first macroblock of a picture
                yield _slice(bits, sequence, unit[0])


def _slice(bits: _Bits, sequence: Sequence, header: int) -> Slice:
    instant, reference = header & 31 == _INSTANT, header >> 5 & 3 > 0
    bits.unsigned()
    bits.unsigned()
    if sequence.separate_planes:
        bits.read(2)
    frame_num = bits.read(sequence.frame_num_bits)
    is_field = not sequence.frames_only and bits.read(1)
    bottom = bool(bits.read(1)) if is_field else None
    if instant:
        bits.unsigned()
    return Slice(instant, reference, frame_num, bottom, bits.read(sequence.order_bits))
