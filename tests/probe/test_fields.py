"""Field pairs are told from frames by bitstreams written here, bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from preprocess.probe import fields
from tests.decide.clips import closed, table_of, video_of

if TYPE_CHECKING:
    from preprocess.facts import VideoTrack


class BitWriter:
    def __init__(self) -> None:
        self._bits = ""

    def fixed(self, value: int, count: int) -> BitWriter:
        self._bits += f"{value:0{count}b}" if count else ""
        return self

    def unsigned(self, *values: int) -> BitWriter:
        for value in values:
            code = f"{value + 1:b}"
            self._bits += "0" * (len(code) - 1) + code
        return self

    def signed(self, *values: int) -> BitWriter:
        return self.unsigned(*(2 * v - 1 if v > 0 else -2 * v for v in values))

    def unit(self, header: int) -> bytes:
        """With a stop bit and emulation prevention."""
        bits = self._bits + "1"
        bits += "0" * (-len(bits) % 8)
        payload = int(bits, 2).to_bytes(len(bits) // 8, "big")
        out, zeros = bytearray([header]), 0
        for byte in payload:
            if zeros >= 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return bytes(out)


@dataclass(frozen=True)
class Coding:
    high: bool
    scaling: bool
    planes: bool
    frame_num_bits: int
    order_count: int


CODINGS = st.builds(
    Coding, st.booleans(), st.booleans(), st.booleans(), st.integers(4, 16), st.integers(0, 2)
)


def sequence(coding: Coding, *, frames_only: bool = False) -> bytes:
    bits = BitWriter().fixed(100 if coding.high else 77, 8).fixed(0, 8).fixed(40, 8).unsigned(0)
    if coding.high:
        bits.unsigned(3 if coding.planes else 1)
        if coding.planes:
            bits.fixed(1, 1)
        bits.unsigned(0, 0).fixed(0, 1).fixed(coding.scaling, 1)
        if coding.scaling:
            for number in range(12 if coding.planes else 8):
                bits.fixed(number % 2, 1)
                if number % 2:  # two deltas, then one that ends the list
                    bits.signed(3, -1, -10)
    bits.unsigned(coding.frame_num_bits - 4, coding.order_count)
    if coding.order_count == 0:
        bits.unsigned(4)
    elif coding.order_count == 1:
        bits.fixed(0, 1).signed(-3, 7).unsigned(2).signed(1, -1)
    bits.unsigned(4).fixed(0, 1).unsigned(119, 33).fixed(frames_only, 1)
    return bits.unit(0x67)


def slice_of(coding: Coding, frame_num: int, field: int | None, *, first_block: int = 0) -> bytes:
    """*field*: 0 top, 1 bottom, ``None`` a frame."""
    bits = BitWriter().unsigned(first_block, 5, 0)
    if coding.high and coding.planes:
        bits.fixed(0, 2)
    bits.fixed(frame_num % (1 << coding.frame_num_bits), coding.frame_num_bits)
    bits.fixed(field is not None, 1)
    if field is not None:
        bits.fixed(field, 1)
    return bits.fixed(0xABCDEF, 24).unit(0x41)


class StubPacket:
    def __init__(self, pts: int, *units: bytes) -> None:
        self.pts = pts
        self._data = b"".join(b"\0\0\0\1" + unit for unit in units)

    def __bytes__(self) -> bytes:
        return self._data


def track(pictures: int) -> VideoTrack:
    return video_of(table_of([closed(pictures, 0)], 50), codec="h264", interlaced=True)


@given(CODINGS, st.lists(st.sampled_from(["frame", "pair", "both"]), min_size=1, max_size=20))
def test_second_fields_are_left_out_and_nothing_else(coding: Coding, kinds: list[str]) -> None:
    packets: list[Any] = []
    firsts: list[int] = []
    for number, kind in enumerate(kinds):
        head = [sequence(coding)] if number % 5 == 0 else []
        firsts.append(len(packets))
        if kind == "frame":
            packets.append(StubPacket(len(packets), *head, slice_of(coding, number, None)))
        elif kind == "both":
            both = (slice_of(coding, number, 0), slice_of(coding, number, 1))
            packets.append(StubPacket(len(packets), *head, *both))
        else:
            more = slice_of(coding, number, 0, first_block=40)
            packets.append(StubPacket(len(packets), *head, slice_of(coding, number, 0), more))
            packets.append(StubPacket(len(packets), slice_of(coding, number, 1)))
    joined = fields.join(track(len(packets)), packets, None)

    assert joined.table.pts == tuple(firsts)
    assert joined.frames == len(firsts)


def test_a_stream_of_frames_is_left_as_it_is() -> None:
    coding = Coding(high=True, scaling=False, planes=False, frame_num_bits=4, order_count=0)
    packets: list[Any] = [
        StubPacket(n, sequence(coding, frames_only=True), slice_of(coding, n, None))
        for n in range(6)
    ]
    video = track(6)

    assert fields.join(video, packets, None) is video
