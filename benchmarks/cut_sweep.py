"""``python -m benchmarks.cut_sweep``: our cuts beside ``ffmpeg -c copy -t 15``, file by file."""

from __future__ import annotations

import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

from fixtures import reading, recipes
from fixtures.clips import make_clip
from preprocess import ClipPlan, Options, Target, process_file

CAP_S = 15


def main() -> None:
    """Print the table."""
    print(f"{'clip':<28}{'route':<8}{'frames':>7}{'given up':>9}  prefix   {'ffmpeg -c copy':<24}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for spec in recipes.CUT:
            if spec.container.has_boxes:
                print(_line(make_clip(spec, folder / spec.file_name), spec.name, folder))


def _line(source: Path, name: str, folder: Path) -> str:
    report = process_file(
        source, target=Target(output=folder / "ours.mp4"), options=Options(force=True)
    )
    if not isinstance(report.plan, ClipPlan) or report.output is None:
        return f"{name:<28}{report.status}"
    kept = reading.frame_hashes(report.output)
    identical = reading.frame_hashes(source, most=len(kept)) == kept
    most = int(CAP_S * report.plan.expected.frame_rate)
    theirs = _theirs(source, folder / "theirs.mp4")
    return (
        f"{name:<28}{report.plan.route.label:<8}{len(kept):>7}{most - len(kept):>9}"
        f"  {'same' if identical else 'DIFFERS':<8} {theirs}"
    )


def _theirs(source: Path, target: Path) -> str:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(source), "-map", "0:v:0", "-map",  # noqa: S607
         "0:a:0?", "-t", str(CAP_S), "-c", "copy", str(target)],
        check=True,
    )  # fmt: skip
    frames = reading.frame_numbers(target, honour_edit_list=False)
    gaps = sum(1 for n, number in enumerate(frames) if number != n)
    longest = max(reading.track_end_s(target, ignore_editlist=True).values())
    over = "over the cap" if longest > Fraction(CAP_S) else "under the cap"
    return f"{len(frames)} frames, {gaps} out of place, {float(longest):.3f} s, {over}"


if __name__ == "__main__":
    main()
