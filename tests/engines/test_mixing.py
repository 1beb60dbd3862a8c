"""What becomes of more channels than two: ITU-R BS.775-3, and nothing clipped."""

from __future__ import annotations

import math
from array import array
from fractions import Fraction

import av
import pytest

from preprocess.engines.mixing import Segment

RATE = 48_000
FRAMES, SAMPLES = 12, 1024
MINUS_3_DB = 0.5**0.5


def peaks(layout: str, levels: tuple[float, ...], target: str = "stereo") -> tuple[float, ...]:
    """The loudest sample of each channel that comes of one tone at *levels* in all channels."""
    segment = None
    found = [array("f") for _ in range(av.AudioLayout(target).nb_channels)]

    def take(piece: av.AudioFrame) -> None:
        for channel, plane in zip(found, piece.planes, strict=True):
            channel.frombytes(bytes(plane)[: piece.samples * channel.itemsize])

    for number in range(FRAMES):
        frame = av.AudioFrame(format="s16", layout=layout, samples=SAMPLES)
        frame.sample_rate = RATE
        frame.planes[0].update(_tone(number * SAMPLES, levels, frame.planes[0].buffer_size))
        segment = segment or Segment(frame, Fraction(0), target, RATE)
        for piece in segment.convert(frame):
            take(piece)
    assert segment is not None
    for piece in segment.finish():
        take(piece)
    assert {len(channel) for channel in found} == {FRAMES * SAMPLES}
    return tuple(max(map(abs, channel)) for channel in found)


def _tone(first: int, levels: tuple[float, ...], size: int) -> bytes:
    values = array("h")
    for place in range(first, first + SAMPLES):
        now = 32_767 * math.sin(2 * math.pi * 440 * place / RATE)
        values.extend(int(level * now) for level in levels)
    return values.tobytes().ljust(size, b"\0")


def only(channel: int, of: int) -> tuple[float, ...]:
    return tuple(0.5 if n == channel else 0.0 for n in range(of))


@pytest.mark.parametrize(
    ("layout", "channel", "left", "right"),
    [
        ("5.1", 0, 1, 0),
        ("5.1", 1, 0, 1),
        ("5.1", 2, MINUS_3_DB, MINUS_3_DB),
        ("5.1", 3, 0, 0),
        ("5.1", 4, MINUS_3_DB, 0),
        ("5.1", 5, 0, MINUS_3_DB),
        ("5.1(side)", 4, MINUS_3_DB, 0),
        ("7.1", 6, MINUS_3_DB, 0),
        ("4.0", 3, 0.5, 0.5),
        # Four tracks without a word on their places are taken for 4.0, as players do.
        ("4 channels", 2, MINUS_3_DB, MINUS_3_DB),
        # More than eight of these lie side by side: odd ones left, even ones right.
        ("16 channels", 4, 1 / 8, 0),
        ("16 channels", 15, 0, 1 / 8),
        ("9 channels", 8, 1 / 5, 0),
        # Ambisonic W is the sound from all around.
        ("ambisonic 1", 0, 1, 1),
        ("ambisonic 1", 1, 0, 0),
    ],
)
def test_each_channel_goes_where_the_recommendation_says(
    layout: str, channel: int, left: float, right: float
) -> None:
    count = av.AudioLayout(layout).nb_channels

    assert peaks(layout, only(channel, count)) == pytest.approx((left / 2, right / 2), abs=0.01)


@pytest.mark.parametrize("layout", ["stereo", "5.1", "7.1", "4.0", "16 channels"])
def test_full_scale_everywhere_is_not_clipped(layout: str) -> None:
    count = av.AudioLayout(layout).nb_channels
    most = 1.0 if count == 2 else 0.9

    assert max(peaks(layout, (1.0,) * count)) <= most


def test_what_stays_below_full_scale_is_mixed_without_a_limiters_touch() -> None:
    assert peaks("5.1", (0.3,) * 6) == pytest.approx((0.3 * (1 + 2 * MINUS_3_DB),) * 2, abs=0.01)


def test_mono_stays_mono() -> None:
    assert peaks("mono", (0.5,), "mono") == pytest.approx((0.5,), abs=0.01)
    assert peaks("1 channels", (0.5,), "mono") == pytest.approx((0.5,), abs=0.01)
