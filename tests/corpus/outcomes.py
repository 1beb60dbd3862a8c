"""What becomes of every corpus file as a clip, under every option set; as a script, the table.

    python -m tests.corpus.outcomes FOLDER > tests/corpus/expected.tsv

FOLDER holds the folders `FOLDERS`. Options whose plans are the same share one preparation: same
plan, same bytes (see docs/architecture.md).
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from fixtures import reading
from preprocess import (
    ClipPlan,
    InputRejected,
    Intent,
    Limits,
    Mode,
    Plan,
    Report,
    Short,
    Target,
    load_profile,
    plan_file,
    process_file,
)
from tests import second_reader

FOLDERS = ("audio", "hostile", "video")
COLUMNS = ("file", "mode", "limits", "short", "status", "route", "rules")
OPTIONS = tuple(
    itertools.product(
        (Mode.EDIT, Mode.EXTEND, Mode.REFERENCE),
        (Limits.SAFE, Limits.DOCUMENTED),
        (Short.REJECT, Short.HOLD),
    )
)
PROFILE = load_profile("seedance-2-0-mini")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One row of the table, and what the second reader objects to."""

    row: tuple[str, ...]
    objections: tuple[str, ...]


def sources(corpus: Path) -> list[Path]:
    """Every file that the table is about."""
    return [path for name in FOLDERS for path in sorted((corpus / name).iterdir())]


def outcomes(source: Path, folder: Path) -> list[Outcome]:
    """Every row of one file; results are written to *folder*."""
    done: dict[object, tuple[Report, tuple[str, ...]]] = {}
    rows = []
    for number, (mode, limits, short) in enumerate(OPTIONS):
        intent = Intent(mode=mode, limits=limits, short=short)
        key = _plan_key(source, intent)
        if key not in done:
            report = process_file(
                source, intent=intent, target=Target(directory=folder, stem=f"result-{number}")
            )
            done[key] = (report, _objections(report, limits))
        report, objections = done[key]
        route = report.plan.route.label if report.error is None and report.plan else ""
        rules = ",".join(reason.rule for reason in report.reasons)
        rows.append(
            Outcome(
                row=(
                    f"{source.parent.name}/{source.name}",
                    mode.value,
                    limits.value,
                    short.value,
                    report.status.value,
                    route,
                    rules,
                ),
                objections=objections,
            )
        )
    return rows


def _plan_key(source: Path, intent: Intent) -> object:
    try:
        decision = plan_file(source, intent=intent)
    except InputRejected as rejected:
        return rejected.reasons
    # Reasons and caps differ between levels although the work is the same; the checks against the
    # level do not, so the level stays in the key.
    if isinstance(decision, Plan):
        return (intent.limits, replace(decision, price=None))
    return decision.reasons


def _objections(report: Report, limits: Limits) -> tuple[str, ...]:
    if not isinstance(report.plan, ClipPlan) or not reading.have_ffmpeg():
        return ()  # of images there is a table of their own
    if report.output is None:
        return ()
    return tuple(second_reader.accept_objections(report.output, PROFILE, limits.value))


def main() -> None:
    """Print the table of a folder; objections go to stderr."""
    print("\t".join(COLUMNS))  # noqa: T201
    for source in sources(Path(sys.argv[1])):
        with tempfile.TemporaryDirectory() as folder:
            for outcome in outcomes(source, Path(folder)):
                print("\t".join(outcome.row), flush=True)  # noqa: T201
                if outcome.objections:
                    print(outcome.row, outcome.objections, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
