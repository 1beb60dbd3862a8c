"""FLV has no index: every part of such a clip can be taken all the same."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from preprocess import Intent, Mode, Short, parse_window
from tests.engines.sound_clips import (
    AAC,
    IN_STEP_S,
    LENGTH_S,
    ffmpeg,
    off_s,
    pictures,
    prepared,
    wave_file,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to make clips with")

SORENSON, H264 = ("-c:v", "flv", "-q:v", "5", "-g", "12"), ("-c:v", "copy")
MP3, SILENT = ("-c:a", "libmp3lame"), ("-an",)
INDEXED = ("-flvflags", "add_keyframe_index")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A picture, a sound, and which of them is late."""

    video: tuple[str, ...]
    sound: tuple[str, ...]
    how: tuple[str, ...] = ()
    sound_start_s: Fraction = Fraction(0)
    """Against the picture: below zero, the picture is late."""

    def __str__(self) -> str:
        return "-".join((self.video[1], self.sound[-1], *self.how[1:], str(self.sound_start_s)))


CASES = (
    Case(video=SORENSON, sound=MP3),
    Case(video=SORENSON, sound=MP3, how=INDEXED),
    Case(video=SORENSON, sound=SILENT),
    Case(video=SORENSON, sound=MP3, sound_start_s=Fraction(-9, 10)),
    Case(video=SORENSON, sound=MP3, sound_start_s=Fraction(7, 10)),
    Case(video=H264, sound=AAC),
    Case(video=H264, sound=AAC, how=INDEXED),
    Case(video=H264, sound=AAC, sound_start_s=Fraction(-9, 10)),
    Case(video=H264, sound=AAC, how=("-output_ts_offset", "100")),
)


def flv(target: Path, case: Case) -> Path:
    start_s = case.sound_start_s
    sound = wave_file(target.parent, 44_100, start_s=start_s, length_s=LENGTH_S - start_s)
    delays = [("-itsoffset", float(max(delay, Fraction(0)))) for delay in (-start_s, start_s)]
    inputs = (*delays[0], "-i", pictures(target.parent), *delays[1], "-i", sound)
    ffmpeg(*inputs, "-map", "0:v", "-map", "1:a", *case.video, *case.sound, *case.how, target)
    return target


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flv")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_tail_of_an_flv_is_repeated_in_step(case: Case, folder: Path) -> None:
    """Going back to a beginning that lies before the first picture used to be refused."""
    intent = Intent(mode=Mode.EXTEND, short=Short.LOOP)
    report = prepared(flv(folder / f"{CASES.index(case)}.flv", case), intent)

    assert report.output is not None
    assert reading.frame_numbers(report.output) == list(range(60))
    if case.sound is not SILENT:
        assert max(map(abs, off_s(report.output, (1.0, 2.2)))) <= IN_STEP_S


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_window_of_an_flv_starts_where_it_was_asked_to(case: Case, folder: Path) -> None:
    intent = Intent(window=parse_window("0.2..2.4"))
    report = prepared(flv(folder / f"{CASES.index(case)}-window.flv", case), intent)

    assert report.output is not None
    assert reading.frame_numbers(report.output) == list(range(5, 60))
    if case.sound is not SILENT:
        off = off_s(report.output, (1.0, 2.0))
        assert max(abs(late - 0.2) for late in off) <= IN_STEP_S


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_beginning_of_an_flv_is_repeated_in_step(case: Case, folder: Path) -> None:
    intent = Intent(window=parse_window("0..1.2"), short=Short.LOOP)
    report = prepared(flv(folder / f"{CASES.index(case)}-loop.flv", case), intent)

    assert report.output is not None
    assert reading.frame_numbers(report.output)[30:50] == list(range(20))
    if case.sound is not SILENT and case.sound_start_s <= 0:
        (off,) = off_s(report.output, (1.7,))
        assert abs(off + 1.2) <= IN_STEP_S
