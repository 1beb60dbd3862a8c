"""H.264 pictures that are stored as two fields, a packet each: a decoder makes one of both.

Camcorders (AVCHD) store them so, and FFmpeg's demuxers pass them on singly. ITU-T H.264 (08/2021),
7.3.2.1.1 (sequence parameter set), 7.3.3 (slice header), 7.4.1.2.4 (first and second field).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from preprocess.probe import nal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av.packet import Packet
    from av.video.stream import VideoStream

    from preprocess.facts import VideoTrack

_SLICES = {1, 5}
_SPS = 7
_HEADER_BYTES = 32
"""A slice header says what is asked for within so many bytes."""
_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles whose parameter sets say more about chroma and scaling."""
_CHROMA_444 = 3


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What a sequence parameter set says about slice headers."""

    frame_num_bits: int
    separate_planes: bool
    frames_only: bool


@dataclass(frozen=True, slots=True)
class _Field:
    frame_num: int
    bottom: bool


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


def join(
    video: VideoTrack, packets: Iterable[Packet[VideoStream]], extradata: bytes | None
) -> VideoTrack:
    """*video* with one entry in its table for each pair of fields.

    *packets*: of its stream, in decode order, from the table's first entry on or earlier.
    """
    table = video.table
    seconds = _second_fields(packets, extradata, set(table.pts))
    if not seconds:
        return video
    kept = [n for n, pts in enumerate(table.pts) if pts not in seconds]
    place = {n: new for new, n in enumerate(kept)}
    joined = replace(
        table,
        pts=tuple(table.pts[n] for n in kept),
        sizes=tuple(table.sizes[n] for n in kept),
        sync=tuple(
            replace(sync, index=place[sync.index]) for sync in table.sync if sync.index in place
        ),
        last_duration=2 * table.last_duration,
    )
    frames = video.frames and video.frames - len(seconds)
    return replace(video, table=joined, frames=frames)


def _second_fields(
    packets: Iterable[Packet[VideoStream]], extradata: bytes | None, wanted: set[int]
) -> set[int]:
    prefix = nal.length_size("h264", extradata)
    sequence = _sequence_of(nal.stored_sequences("h264", extradata))
    first: _Field | None = None
    found: set[int] = set()
    left = len(wanted)
    for packet in packets:
        units = list(nal.units(bytes(packet), prefix))
        sequence = _sequence_of(units) or sequence
        fields = set(_fields(units, sequence)) if sequence is not None else set()
        field = fields.pop() if len(fields) == 1 else None
        if field is None or first is None or not _belong_together(first, field):
            first = field
        else:
            first = None
            if packet.pts is not None:
                found.add(packet.pts)
        left -= packet.pts in wanted
        if not left:
            break
    return found & wanted


def _belong_together(first: _Field, second: _Field) -> bool:
    return first.frame_num == second.frame_num and first.bottom != second.bottom


def _sequence_of(units: Iterable[bytes]) -> _Sequence | None:
    return next((_sequence(unit) for unit in units if unit and unit[0] & 31 == _SPS), None)


def _sequence(unit: bytes) -> _Sequence:
    bits = _Bits(unit[1:])
    profile = bits.read(8)
    bits.read(16)
    bits.unsigned()
    separate = profile in _WITH_CHROMA and _skip_chroma(bits)
    frame_num_bits = bits.unsigned() + 4
    _skip_order_count(bits)
    bits.unsigned()
    bits.read(1)
    bits.unsigned()
    bits.unsigned()
    return _Sequence(frame_num_bits, separate, bool(bits.read(1)))


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


def _skip_order_count(bits: _Bits) -> None:
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.read(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()


def _fields(units: Iterable[bytes], sequence: _Sequence) -> Iterator[_Field]:
    """The fields whose first slices are among *units*; a frame has none."""
    if sequence.frames_only:
        return
    for unit in units:
        if unit and unit[0] & 31 in _SLICES:
            bits = _Bits(unit[1:_HEADER_BYTES])
            if bits.unsigned():  # not the first slice of a picture
                continue
            bits.unsigned()
            bits.unsigned()
            if sequence.separate_planes:
                bits.read(2)
            frame_num = bits.read(sequence.frame_num_bits)
            if bits.read(1):
                yield _Field(frame_num, bool(bits.read(1)))
