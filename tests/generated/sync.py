"""Sound against picture in prepared clips, told by frame numbers and chirp.

    python -m tests.generated.sync [NAME...]

makes the clips with variable rates and edit lists, prepares them and prints how far picture and
sound are apart at start, middle and end, as ffmpeg decodes the results.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures import reading, recipes
from fixtures.clips import make_clip
from preprocess import ClipPlan, Intent, Report, Short, Target, process_file

if TYPE_CHECKING:
    from fixtures.spec import ClipSpec

MARGIN_S = Fraction(1, 4)
"""From the ends of the sound: an excerpt has to fit in."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a clip shows and sounds at one moment; times of the source."""

    at_s: Fraction
    picture_s: Fraction
    sound_s: float

    @property
    def apart_ms(self) -> float:
        """Sound minus picture; positive: the sound is ahead."""
        return 1000 * (self.sound_s - float(self.picture_s))


def moments(report: Report, spec: ClipSpec) -> list[Moment]:
    """Start, middle and end of the result, each where a picture has just come.

    Raises:
        ValueError: a picture has no number, or a moment no sound.
    """
    assert report.output is not None
    assert isinstance(report.plan, ClipPlan)
    rate = report.plan.expected.frame_rate
    numbers = reading.frame_numbers(report.output)
    fresh = [k for k, (a, b) in enumerate(pairwise(numbers), 1) if a != b]
    begins_s, ends_s = sounding(report, spec)
    inside = [k for k in fresh if begins_s + MARGIN_S <= k / rate <= ends_s - MARGIN_S]
    chosen = [inside[0], inside[len(inside) // 2], inside[-1]]
    heard = reading.sound_times(report.output, [k / rate for k in chosen])
    found = []
    for k, sound_s in zip(chosen, heard, strict=True):
        number = numbers[k]
        if number is None or sound_s is None:
            msg = f"nothing to read at {float(k / rate):.3f} s"
            raise ValueError(msg)
        found.append(Moment(k / rate, number / spec.frame_rate, sound_s))
    return found


def sounding(report: Report, spec: ClipSpec) -> tuple[Fraction, Fraction]:
    """From when to when the result has sound."""
    assert isinstance(report.plan, ClipPlan)
    length = report.plan.expected.duration_s
    sound = spec.sound
    assert sound is not None
    begins = max(Fraction(0), sound.start_s)
    ends = length if sound.duration_s is None else min(length, begins + sound.duration_s)
    return begins, ends


def main(names: list[str]) -> None:
    """Print the table."""
    chosen = [s for s in (*recipes.TIMED, *recipes.UNSETTLED) if not names or s.name in names]
    print(f"{'clip':28} {'route':7} {'rate':>7}  sound ahead of picture: start, middle, end (ms)")  # noqa: T201
    for spec in chosen:
        with tempfile.TemporaryDirectory() as folder:
            source = make_clip(spec, Path(folder) / spec.file_name)
            report = process_file(
                source,
                intent=Intent(short=Short.HOLD),
                target=Target(directory=Path(folder), stem="out"),
            )
            assert isinstance(report.plan, ClipPlan), report.error
            told = ", ".join(f"{moment.apart_ms:+.1f}" for moment in moments(report, spec))
            rate = float(report.plan.expected.frame_rate)
            print(f"{spec.name:28} {report.plan.route.label:7} {rate:7.3f}  {told}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
