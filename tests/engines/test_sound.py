"""Copied sound is the source's, sample by sample, from the first picture on."""

from __future__ import annotations

import subprocess
from array import array
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading, recipes
from fixtures.clips import make_clip
from fixtures.spec import ClipSpec, Container, Sound
from preprocess import (
    ClipPlan,
    Intent,
    Mode,
    Options,
    Report,
    Route,
    Short,
    Target,
    parse_window,
    process_file,
)
from preprocess.plan import AudioAction

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")

ROUNDING = 16
CLIP = ClipSpec(
    name="heard",
    frames=500,
    frame_rate=Fraction(25),
    gop=replace(recipes.CLOSED_B, length=50),
    container=Container.MP4,
)


def prepared(source: Path, intent: Intent) -> Report:
    output = source.with_name("result.mp4")
    report = process_file(source, intent=intent, target=Target(output=output), options=Options())
    assert report.error is None, report.error
    return report


def samples(path: Path) -> array[int]:
    """The sound as a player gives it, at its own rate, all channels."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a:0", "-f", "s16le", "-"]
    return array("h", subprocess.run(command, check=True, capture_output=True).stdout)


@pytest.mark.parametrize("sound", [Sound(), recipes.AAC_44, recipes.MONO])
@pytest.mark.parametrize(
    ("intent", "start_s"),
    [
        (Intent(), 0),
        (Intent(window=parse_window("0..4")), 0),
        (Intent(window=parse_window("4..9")), 4),
        (Intent(mode=Mode.EXTEND), 6),
    ],
    ids=["head", "short", "middle", "tail"],
)
def test_copied_sound_is_the_same_from_its_first_sample(
    sound: Sound, intent: Intent, start_s: int, tmp_path: Path
) -> None:
    """AAC's frames overlap: without the one before the start, the first would fade in."""
    source = make_clip(replace(CLIP, sound=sound), tmp_path / "heard.mp4")
    report = prepared(source, intent)
    assert isinstance(report.plan, ClipPlan)
    assert report.output is not None
    assert (report.plan.route, report.plan.audio.action) == (Route.CUT, AudioAction.COPY)
    first = round(report.plan.start_s * sound.sample_rate) * sound.channels
    assert report.plan.start_s == start_s

    ours, theirs = samples(report.output), samples(source)[first:]

    kept = min(len(ours), len(theirs)) - 2048 * sound.channels  # the last frame lacks the next one
    length = float(report.plan.expected.duration_s)
    assert kept / sound.channels / sound.sample_rate > length - 0.15
    # Float sound is rounded with the decoder's own history; a faded frame is off by thousands.
    assert max(abs(a - b) for a, b in zip(ours[:kept], theirs[:kept], strict=True)) <= ROUNDING


@pytest.mark.parametrize("late_ms", [10, 24, 60, 120])
@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_sound_that_starts_late_stays_in_step(rate: int, late_ms: int, tmp_path: Path) -> None:
    """A frame of 8 kHz sound lasts 128 ms; moving it by that much would be seen."""
    sound = Sound(sample_rate=rate, channels=1, start_s=Fraction(late_ms, 1000))
    spec = replace(CLIP, frames=100, sound=sound, container=Container.MATROSKA)
    source = make_clip(spec, tmp_path / "late.mkv")
    report = prepared(source, Intent())
    assert report.output is not None
    moments = [1.0, 2.0, 3.0]
    told = reading.sound_times(report.output, moments)

    off = [abs((time or 0) - moment) for time, moment in zip(told, moments, strict=True)]
    assert max(off) < 0.03, off


def test_a_repeated_clip_repeats_its_sound_in_step(tmp_path: Path) -> None:
    """Sound fills whole packets, and lasts longer than the picture."""
    source = make_clip(replace(CLIP, frames=31, sound=recipes.AAC_44), tmp_path / "short.mp4")
    report = prepared(source, Intent(short=Short.LOOP))
    assert isinstance(report.plan, ClipPlan)
    assert report.output is not None
    assert report.plan.route is Route.ENCODE
    length_s = 31 / 25
    first, second = reading.sound_times(report.output, [0.02, length_s + 0.02])

    assert first is not None
    assert second is not None
    assert abs(first - second) < 0.003
