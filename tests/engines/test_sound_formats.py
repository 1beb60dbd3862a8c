"""Every kind of sound that people's clips have, in every container that has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from preprocess.plan import AudioAction
from tests.engines.sound_clips import (
    IN_STEP_S,
    amr_clip,
    heard,
    joined,
    off_s,
    plan_of,
    prepared,
    rules,
    wave_file,
)

if TYPE_CHECKING:
    from pathlib import Path

    from preprocess import Report

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to make clips with")

LOUDNESS = 9000 / 2**0.5 / 32_768
"""Of the fixture's tone in each channel."""
DECIBEL = 10**0.05
MPEG_2 = ("-c:v", "mpeg2video", "-q:v", "5", "-bf", "0")
FRAGMENTS = ("-movflags", "frag_keyframe+delay_moov+default_base_moof")
M2TS = ("-mpegts_m2ts_mode", "1", "-f", "mpegts")
AAC, MP3 = "aac", "libmp3lame"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A codec in a container, and what its sound has to become."""

    codec: str
    suffix: str
    rate: int = 48_000
    channels: int = 2
    how: tuple[str, ...] = ()
    video: tuple[str, ...] = ()
    copied: bool = False
    out_rate: int = 48_000
    out_channels: int = 2
    gain: float = 1
    """Of the loudness, by mixing channels down."""

    def __str__(self) -> str:
        done = "copied" if self.copied else "encoded"
        return f"{self.codec}-{self.channels}-{self.rate}{self.suffix}-{done}"


def copied(codec: str, suffix: str, rate: int = 48_000, channels: int = 2, *how: str) -> Case:
    return Case(
        copied=True, codec=codec, suffix=suffix, rate=rate, channels=channels, how=how,
        out_rate=rate, out_channels=channels,
    )  # fmt: skip


def mono(codec: str, suffix: str, rate: int, out_rate: int) -> Case:
    return Case(
        codec=codec, suffix=suffix, rate=rate, channels=1, out_rate=out_rate, out_channels=1
    )


def mixed(codec: str, suffix: str, channels: int, gain: float, *how: str) -> Case:
    return Case(codec=codec, suffix=suffix, channels=channels, gain=gain, how=how)


def at_44(codec: str, suffix: str) -> Case:
    return Case(codec=codec, suffix=suffix, rate=44_100, out_rate=44_100)


# ITU-R BS.775-3: left, the centre at -3 dB and one surround at -3 dB, all of them alike here.
FIVE_ONE = 1 + 2 * 0.5**0.5
FOUR = 1 + 0.5**0.5 + 0.5
CASES = (
    *(copied(AAC, suffix) for suffix in (".mov", ".mkv", ".ts", ".flv")),
    copied(AAC, ".mp4", 48_000, 2, *FRAGMENTS),
    *(copied(AAC, ".mov", rate, 1) for rate in (8_000, 16_000, 22_050, 44_100, 96_000)),
    # More channels of an accepted codec are accepted: only what is encoded becomes stereo.
    copied(AAC, ".mov", 48_000, 6),
    copied(AAC, ".mkv", 48_000, 8, "-channel_layout", "7.1"),
    *(copied(MP3, suffix) for suffix in (".mov", ".mkv", ".ts", ".avi")),
    copied(MP3, ".flv", 44_100),
    copied(MP3, ".mov", 24_000, 1),
    Case(codec=AAC, suffix=".ts", how=("-mpegts_flags", "latm")),
    *(Case(codec="mp2", suffix=suffix) for suffix in (".ts", ".mkv")),
    Case(codec="mp2", suffix=".mpg", video=MPEG_2),
    *(Case(codec="libopus", suffix=suffix) for suffix in (".mkv", ".mp4", ".ts")),
    mixed("libopus", ".mkv", 6, FIVE_ONE, "-mapping_family", "1"),
    at_44("libvorbis", ".mkv"),
    at_44("flac", ".mkv"),
    *(at_44("alac", suffix) for suffix in (".mkv", ".mp4")),
    Case(codec="flac", suffix=".mp4", how=("-strict", "-2")),
    Case(codec="flac", suffix=".mkv", rate=192_000),
    *(mixed("ac3", suffix, 6, FIVE_ONE) for suffix in (".mkv", ".ts")),
    *(mixed("eac3", suffix, 6, FIVE_ONE) for suffix in (".mkv", ".mov")),
    Case(codec="dca", suffix=".mkv", how=("-strict", "-2")),
    at_44("wmav2", ".asf"),
    at_44("wmav1", ".asf"),
    mono("adpcm_ms", ".avi", 22_050, 44_100),
    mono("adpcm_ima_wav", ".avi", 44_100, 44_100),
    mono("adpcm_ima_qt", ".mov", 44_100, 44_100),
    mono("adpcm_swf", ".flv", 22_050, 44_100),
    mono("pcm_alaw", ".mov", 8_000, 48_000),
    mono("pcm_mulaw", ".avi", 8_000, 48_000),
    mono("pcm_u8", ".avi", 11_025, 44_100),
    *(Case(codec=f"pcm_{kind}", suffix=".mov") for kind in ("s8", "s16be", "s24le", "s32be")),
    *(Case(codec=f"pcm_{kind}", suffix=".mov") for kind in ("f32le", "f64be")),
    *(Case(codec=f"pcm_{kind}", suffix=".mkv") for kind in ("s16be", "s24le", "f32le")),
    *(Case(codec=f"pcm_{kind}", suffix=".avi") for kind in ("s16le", "s24le")),
    Case(codec="pcm_s16le", suffix=".mov", rate=192_000),
    Case(codec="pcm_bluray", suffix=".m2ts", how=M2TS),
    Case(codec="pcm_dvd", suffix=".vob", video=MPEG_2),
    mixed("pcm_s16le", ".mov", 4, FOUR),
    mixed("pcm_s16le", ".mkv", 16, 1),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sound_of_every_format_is_in_step_and_as_loud_as_before(case: Case, folder: Path) -> None:
    number = CASES.index(case)
    sound = wave_file(folder, case.rate, case.channels)
    coding = ("-c:a", case.codec, *case.how)
    source = joined(folder / f"{number}{case.suffix}", [sound], *coding, video=case.video)
    check(prepared(source), case)


def test_sound_of_old_phones_is_in_step(folder: Path) -> None:
    softer = replace(mono("amr", ".3gp", 8_000, 48_000), gain=0.86)  # the coding itself
    check(prepared(amr_clip(folder / "amr.3gp")), softer)


def check(report: Report, case: Case) -> None:
    assert report.output is not None
    found = heard(report.output)

    action = AudioAction.COPY if case.copied else AudioAction.ENCODE
    assert plan_of(report).audio.action is action
    assert (found.rate, found.channels) == (case.out_rate, case.out_channels)
    assert set(rules(report)) <= (set() if case.copied else {"audio.codec"}) | {"audio.length"}
    assert max(map(abs, off_s(report.output))) <= IN_STEP_S
    assert LOUDNESS * case.gain / DECIBEL <= found.loudness <= LOUDNESS * case.gain * DECIBEL
    assert found.peak < 0.95
    assert not report.attempts
