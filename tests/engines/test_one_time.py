"""AVI and ASF have one time for a picture, the one of decoding: H.264 is shown in its own order."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from fixtures.clips import make_clip
from fixtures.spec import ClipSpec, Closure, Gop, Sound
from preprocess import Intent, Mode, parse_window
from tests.engines.sound_clips import (
    IN_STEP_S,
    ffmpeg,
    joined,
    off_s,
    prepared,
    wave_file,
)

if TYPE_CHECKING:
    from pathlib import Path

    from preprocess import Report

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to make clips with")

FRAMES, RATE = 480, 30
GOPS = {
    "plain": Gop(length=45),
    "open": Gop(length=50, b_frames=3, closure=Closure.OPEN),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("one-time")


@pytest.fixture(params=GOPS)
def mp4(request: pytest.FixtureRequest, folder: Path) -> Path:
    """A clip whose container tells all times."""
    spec = ClipSpec(
        name=request.param,
        frames=FRAMES,
        frame_rate=Fraction(RATE),
        gop=GOPS[request.param],
        sound=Sound(codec="libmp3lame"),
    )
    path = folder / spec.file_name
    return path if path.exists() else make_clip(spec, path)


@pytest.fixture(params=[".avi", ".asf"])
def clip(request: pytest.FixtureRequest, mp4: Path) -> Path:
    """The same in a container with one time."""
    path = mp4.with_suffix(request.param)
    if not path.exists():
        ffmpeg("-i", mp4, "-c", "copy", "-map_metadata", "-1", path)
    return path


def shown(report: Report) -> list[int | None]:
    assert report.output is not None
    return reading.frame_numbers(report.output)


def test_the_beginning_is_shown_in_order_and_in_step(clip: Path) -> None:
    report = prepared(clip)

    assert report.output is not None
    numbers = shown(report)
    assert numbers == list(range(len(numbers)))
    if clip.stem == "plain":  # else the sound stands by decode times, as the copy wrote them
        assert max(map(abs, off_s(report.output, (1, 7, 14)))) <= IN_STEP_S


def test_a_window_in_the_middle_holds_its_pictures(clip: Path) -> None:
    report = prepared(clip, Intent(window=parse_window("7.1..10.3")))

    assert shown(report) == list(range(213, 309))


def test_the_tail_holds_the_last_pictures(clip: Path) -> None:
    numbers = shown(prepared(clip, Intent(mode=Mode.EXTEND)))

    assert numbers == list(range(FRAMES - len(numbers), FRAMES))
    assert len(numbers) >= 14 * RATE


@pytest.fixture
def packed(folder: Path) -> Path:
    """MPEG-4 as DivX and Xvid made it: B pictures in the packet of the one after them."""
    xvid = ("-c:v", "libxvid", "-bf", "2", "-q:v", "3")
    sound = wave_file(folder)
    clip = joined(folder / "packed.avi", [sound], "-c:a", "libmp3lame", video=xvid)
    assert b"DivX503b1393p" in clip.read_bytes()
    return clip


@pytest.mark.parametrize(("window", "first"), [(None, 0), ("0.2..2.24", 5)])
def test_packed_pictures_are_taken_apart(packed: Path, window: str | None, first: int) -> None:
    report = prepared(packed, Intent(window=parse_window(window) if window else None))

    assert report.output is not None
    # ffmpeg's libxvid loses pictures at the end (5.1.9).
    assert shown(report)[:50] == list(range(first, first + 50))
    told = [off - first / 25 for off in off_s(report.output, (0.5, 1.5))]
    assert max(map(abs, told)) <= IN_STEP_S
