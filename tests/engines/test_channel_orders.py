"""Channels that a QuickTime file stores in an order of its own are mixed as what they are."""

from __future__ import annotations

import struct
import subprocess
import wave
from array import array
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from fixtures.sound import tone
from tests.engines.sound_clips import LENGTH_S, joined, plan_of, prepared

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to make clips with")

RATE = 48_000
SOURCE_LEVEL = 9000 / 2**0.5
MINUS_3_DB = 0.5**0.5
TOLERANCE = 0.05
# Tags of Apple's CoreAudioBaseTypes.h: number of the layout, number of channels.
FILM_5_1 = 124 << 16 | 6  # C L R Ls Rs LFE
FFMPEG_7_1 = 128 << 16 | 8  # L R C LFE Ls Rs Rls Rrs


def sounding(folder: Path, channel: int, of: int) -> Path:
    """A tone in one channel, silence in the others."""
    samples = int(RATE * LENGTH_S)
    values = array("h", bytes(2 * samples * of))
    values[channel::of] = array("h", tone(RATE, Fraction(0), samples))
    path = folder / f"{channel}-of-{of}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(of)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(values.tobytes())
    return path


def ordered(target: Path, sound: Path, tag: int) -> Path:
    """A MOV whose ``chan`` box says *tag*."""
    data = bytearray(joined(target, [sound], "-c:a", "pcm_s16le").read_bytes())
    place = data.rindex(b"chan") + 8
    struct.pack_into(">III", data, place, tag, 0, 0)
    target.write_bytes(data)
    return target


def levels(path: Path) -> list[float]:
    """Root mean square of left and right, against the tone's own."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a:0", "-f", "s16le", "-"]
    numbers = array("h", subprocess.run(command, check=True, capture_output=True).stdout)
    sides = [numbers[RATE + side : 3 * RATE : 2] for side in (0, 1)]
    return [(sum(n * n for n in side) / len(side)) ** 0.5 / SOURCE_LEVEL for side in sides]


@pytest.mark.parametrize(
    ("tag", "channel", "expected"),
    [
        (FILM_5_1, 0, (MINUS_3_DB, MINUS_3_DB)),
        (FILM_5_1, 1, (1, 0)),
        (FILM_5_1, 2, (0, 1)),
        (FILM_5_1, 3, (MINUS_3_DB, 0)),
        (FILM_5_1, 5, (0, 0)),
        (FFMPEG_7_1, 3, (0, 0)),
        (FFMPEG_7_1, 4, (MINUS_3_DB, 0)),
        (FFMPEG_7_1, 7, (0, MINUS_3_DB)),
    ],
)
def test_a_channel_goes_where_the_file_says_it_belongs(
    tag: int, channel: int, expected: tuple[float, float], tmp_path: Path
) -> None:
    """PyAV frees the list of such channels twice, which used to kill the worker."""
    channels = tag & 0xFFFF
    sound = sounding(tmp_path, channel, channels)
    report = prepared(ordered(tmp_path / "clip.mov", sound, tag))

    assert report.output is not None
    assert report.facts is not None
    assert report.facts.audio is not None
    assert report.facts.audio.channels == channels
    assert plan_of(report).audio.channels == 2
    assert levels(report.output) == pytest.approx(expected, abs=TOLERANCE)
