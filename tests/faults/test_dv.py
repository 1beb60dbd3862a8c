"""Raw DV, as camcorders send it: no container, every picture and its sound in one block."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from fixtures.spec import ClipSpec, Gop
from preprocess import Intent, Mode, VerifyLevel, parse_window, probe_file
from tests.faults.support import assert_rejected, process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Copy = Callable[..., Path]

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to make DV with")
RATES = {"pal-dv": Fraction(25), "ntsc-dv": Fraction(30_000, 1001)}
LONG = 480


@pytest.fixture(params=RATES)
def tape(request: pytest.FixtureRequest, clip: Copy, folder: Path) -> tuple[Path, Fraction]:
    """A tape of more than 15 seconds, and its rate."""
    rate = RATES[request.param]
    spec = ClipSpec(name=request.param, frames=LONG, frame_rate=rate, gop=Gop(length=30))
    path = folder / "tape"
    made = ["-i", str(clip(spec)), "-target", request.param, "-f", "dv", str(path)]
    command = ["ffmpeg", "-v", "error", "-nostdin", *made]
    subprocess.run(command, check=True, timeout=60)
    return path, rate


@pytest.mark.parametrize("window", ["head", "tail", "5..9"])
def test_a_tape_comes_out_picture_by_picture_with_its_sound(
    window: str, tape: tuple[Path, Fraction]
) -> None:
    source, rate = tape
    intent = Intent(mode=Mode.EDIT, window=parse_window(window), verify=VerifyLevel.FULL)
    report = process(source, intent=intent).report
    assert report is not None
    assert report.output is not None, report.error

    most = int(15 * rate)
    first, count = {
        "head": (0, most),
        "tail": (LONG - most, most),
        "5..9": (round(5 * rate), round(9 * rate) - round(5 * rate)),
    }[window]
    assert reading.frame_numbers(report.output) == [*range(first, first + count)]
    (heard,) = reading.sound_times(report.output, [2])
    assert heard == pytest.approx(float(first / rate) + 2, abs=0.025)


def test_a_tape_is_known_by_its_first_block(tape: tuple[Path, Fraction]) -> None:
    facts = probe_file(tape[0])
    assert facts.container == "dv"
    assert facts.video is not None
    assert (facts.video.codec, facts.video.interlaced) == ("dvvideo", True)
    assert facts.audio is not None


def test_a_tape_that_is_cut_inside_a_picture_is_truncated_or_ends_before_it(
    tape: tuple[Path, Fraction],
) -> None:
    source, rate = tape
    block = 144_000 if rate == RATES["pal-dv"] else 120_000
    source.write_bytes(source.read_bytes()[: 100 * block + block // 2])
    outcome = process(source)
    if outcome.report is None or outcome.report.output is None:
        assert_rejected(outcome, "input.truncated", "100 of 101 pictures")
    else:
        assert reading.frame_numbers(outcome.report.output) == [*range(100)]
