"""Sound and picture that do not begin together: shown together as the file says."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from preprocess import Intent, parse_window
from preprocess.plan import AudioAction
from tests.engines.sound_clips import (
    AAC,
    IN_STEP_S,
    ffmpeg,
    heard,
    off_s,
    pictures,
    plan_of,
    prepared,
    rules,
    wave_file,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to make clips with")

FRAGMENTED = ("-movflags", "frag_keyframe+delay_moov+default_base_moof")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("skew")


def skewed(target: Path, start_s: Fraction, *how: str) -> Path:
    """Sound that begins *start_s* after the picture; below zero the picture begins after it."""
    sound = wave_file(target.parent, start_s=start_s)
    # The container writes the first of the two as it is, the other one with an empty edit.
    delays = [("-itsoffset", float(max(delay, Fraction(0)))) for delay in (-start_s, start_s)]
    inputs = (*delays[0], "-i", pictures(target.parent), *delays[1], "-i", sound)
    ffmpeg(*inputs, "-map", "0:v", "-map", "1:a", "-c:v", "copy", *(how or AAC), target)
    return target


@pytest.mark.parametrize("start_s", [Fraction(3, 5), Fraction(1, 100), Fraction(-1, 2)], ids=float)
@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        (".mov", AAC),
        (".mov", ("-c:a", "ac3")),
        (".mp4", (*AAC, *FRAGMENTED)),
        (".mkv", AAC),
        (".mkv", ("-c:a", "libopus")),
        (".ts", AAC),
        (".ts", ("-c:a", "mp2")),
    ],
    ids=["mov-aac", "mov-ac3", "fragmented-aac", "mkv-aac", "mkv-opus", "ts-aac", "ts-mp2"],
)
def test_sound_stands_where_the_file_puts_it(
    suffix: str, how: tuple[str, ...], start_s: Fraction, folder: Path
) -> None:
    name = f"{how[1]}-{float(start_s)}{suffix}"
    report = prepared(skewed(folder / name, start_s, *how))
    assert report.output is not None

    late = start_s > Fraction(1, 10)
    assert ("audio.start" in rules(report)) == late
    moments = [max(float(start_s), 0) + 0.08, 1.2, 1.8]
    assert max(map(abs, off_s(report.output, moments))) <= IN_STEP_S
    if late:
        assert reading.sound_times(report.output, [0.1, 0.5]) == [None, None]


@pytest.mark.parametrize("codec", ["aac", "ac3"])
def test_sound_stays_in_step_from_a_window_on(codec: str, folder: Path) -> None:
    """AAC is copied from the packet before, others are decoded from there."""
    source = skewed(folder / f"window-{codec}.mov", Fraction(1, 100), "-c:a", codec)
    report = prepared(source, Intent(window=parse_window("0.2..2.3")))
    assert report.output is not None
    start_s = float(plan_of(report).start_s)
    told = reading.sound_times(report.output, [0.06, 1, 1.9])

    assert start_s == pytest.approx(0.2)
    assert [time and time - start_s for time in told] == pytest.approx([0.06, 1, 1.9], abs=0.025)


def test_sound_that_begins_after_the_window_is_left_out(folder: Path) -> None:
    late = wave_file(folder, start_s=Fraction(0), length_s=Fraction(1, 2))
    source = folder / "after.mov"
    inputs = ("-i", pictures(folder), "-itsoffset", 2.2, "-i", late)
    ffmpeg(*inputs, "-c:v", "copy", *AAC, source)
    report = prepared(source, Intent(window=parse_window("0..2")))

    assert plan_of(report).audio.action is AudioAction.DROP
    assert rules(report) == ["audio.outside"]
    assert not report.attempts


@pytest.mark.parametrize(
    ("suffix", "how"), [(".mov", None), (".mkv", ()), (".mp4", FRAGMENTED)], ids=str
)
def test_spectral_band_replication_doubles_the_rate_and_not_the_length(
    suffix: str, how: tuple[str, ...] | None, folder: Path
) -> None:
    """HE-AAC says 24 kHz in one place and 48 kHz in another; its packets last 2048 samples."""
    core = folder / "core.mov"
    inputs = ("-i", pictures(folder), "-i", wave_file(folder, 24_000))
    ffmpeg(*inputs, "-c:v", "copy", *AAC, core)
    # AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): AAC-LC at 24 kHz, stereo, no SBR; the same
    # with SBR to 48 kHz. No encoder at hand makes the replicated band itself: it stays empty.
    plain, replicated = bytes.fromhex("131056e500"), bytes.fromhex("2b11880000")
    content = core.read_bytes()
    assert plain in content
    core.write_bytes(content.replace(plain, replicated))
    source = core
    if how is not None:
        source = folder / f"replicated{suffix}"
        ffmpeg("-i", core, "-c", "copy", *how, source)
    report = prepared(source)
    assert report.output is not None

    plan = plan_of(report)
    assert (plan.audio.action, plan.audio.frame_samples) == (AudioAction.COPY, 2048)
    assert heard(report.output).rate == 48_000
    # The decoder's replication filter delays what comes by 962 samples.
    assert max(map(abs, off_s(report.output))) <= IN_STEP_S


@pytest.mark.parametrize("speed", [0.98, 1.02])
def test_sound_whose_clock_is_off_stays_in_step(speed: float, folder: Path) -> None:
    """Cameras stamp sound by another clock than the one that counts its samples."""
    source = folder / f"drift-{speed}.mkv"
    inputs = ("-i", pictures(folder), "-i", wave_file(folder))
    ffmpeg(*inputs, "-c:v", "copy", "-af", f"asetpts=PTS/{speed}", "-c:a", "ac3", source)
    report = prepared(source)
    assert report.output is not None
    moments = [0.3, 0.8, 1.2, 1.7, 2.2]
    told = reading.sound_times(report.output, moments)

    # Where a few milliseconds were filled in or left out there is no single tone to read.
    read = [(time, moment) for time, moment in zip(told, moments, strict=True) if time is not None]
    assert len(read) >= 3
    assert max(abs(time - moment * speed) for time, moment in read) <= IN_STEP_S
