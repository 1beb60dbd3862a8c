"""The order that headers of H.264 tell, beside time stamps."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.clips import make_clip
from fixtures.spec import ClipSpec, Closure, Gop, Pyramid
from preprocess.probe.order import Order, Told
from preprocess.probe.slices import Sequence, Slice

if TYPE_CHECKING:
    from pathlib import Path

GOPS = {
    "no B-frames": Gop(length=30, b_frames=0),
    "plain": Gop(length=30, b_frames=2),
    "pyramid": Gop(length=30, b_frames=3, pyramid=Pyramid.NORMAL, references=4),
    "open": Gop(length=30, b_frames=3, closure=Closure.OPEN, references=4),
    "one group": Gop(length=10_000, b_frames=3),
}
BITS = 5
SEQUENCE = Sequence(4, separate_planes=False, frames_only=True, order_kind=0, order_bits=BITS)


def coded(lengths: list[int], run: int) -> list[tuple[Slice, int]]:
    """Groups of *lengths* pictures in the order of decoding, each with its time stamp.

    After the first of a group come *run* B-frames behind the picture that they refer to.
    """
    found, begin = [], 0
    for length in lengths:
        shown = [0]
        for start in range(1, length, run + 1):
            *between, last = range(start, min(start + run + 1, length))
            shown += [last, *between]
        for place in shown:
            reference = place == 0 or place in (length - 1, *range(run + 1, length, run + 1))
            order = 2 * place % (1 << BITS)
            found.append((Slice(place == 0, reference, 0, None, order), 512 * (begin + place)))
        begin += length
    return found


def kept(pictures: list[tuple[Slice, int]]) -> bool:
    order = Order()
    for picture, pts in pictures:
        order.take(picture, SEQUENCE, pts)
    return order.is_kept()


LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=4)


@given(LENGTHS, st.integers(0, 3))
def test_counts_that_start_again_are_followed(lengths: list[int], run: int) -> None:
    assert kept(coded(lengths, run))


@given(LENGTHS, st.integers(0, 3), st.data())
def test_two_time_stamps_in_each_others_place_are_seen(
    lengths: list[int], run: int, data: st.DataObject
) -> None:
    pictures = coded(lengths, run)
    places = st.integers(0, len(pictures) - 1)
    one, other = data.draw(places), data.draw(places)
    if one != other:
        first, second = pictures[one], pictures[other]
        pictures[one], pictures[other] = (first[0], second[1]), (second[0], first[1])

    assert kept(pictures) == (one == other)


@pytest.mark.parametrize("name", GOPS)
def test_what_an_encoder_writes_is_understood(name: str, tmp_path: Path) -> None:
    spec = ClipSpec(
        name="clip", frames=150, frame_rate=Fraction(30), width=128, height=96, gop=GOPS[name]
    )
    with av.open(make_clip(spec, tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        packets: list[Any] = [packet for packet in container.demux(stream) if packet.size]
        right, wrong = Told(stream.codec_context.extradata), Told(stream.codec_context.extradata)
        stamps = [packet.pts for packet in packets]
        for packet in packets:
            right.take(packet)
        # As a container with one time for a picture has it.
        for packet, stamp in zip(packets, sorted(filter(None, stamps)), strict=False):
            packet.pts = stamp
            wrong.take(packet)

    assert right.is_kept() is True
    assert wrong.is_kept() is (name == "no B-frames")
