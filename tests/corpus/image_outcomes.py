"""What becomes of every corpus image in every role; run as a script it writes the table.

    python -m tests.corpus.image_outcomes FOLDER > tests/corpus/images.tsv

FOLDER holds the images.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from fixtures import reading
from preprocess import Intent, Options, Role, Target, process_file

COLUMNS = ("file", "role", "status", "route", "result", "rules")
ROLES = (Role.FIRST_FRAME, Role.LAST_FRAME, Role.REFERENCE_IMAGE)


def outcomes(source: Path, folder: Path) -> list[tuple[str, ...]]:
    """The rows of one file; results are written to *folder*.

    Raises:
        AssertionError: another reader sees something else than the report says.
    """
    rows: list[tuple[str, ...]] = []
    for role in ROLES:
        report = process_file(
            source,
            intent=Intent(role=role),
            target=Target(directory=folder, stem=role.value),
            options=Options(force=True),
        )
        route, result = "", ""
        if report.error is None and report.plan is not None:
            expected = report.plan.expected
            route = report.plan.route.label
            result = f"{expected.container} {expected.width_px}x{expected.height_px}"
        if report.output is not None and reading.have_ffmpeg():
            assert _seen_elsewhere(report.output) == result
        rules = ",".join(reason.rule for reason in report.reasons)
        rows.append((source.name, role.value, report.status.value, route, result, rules))
    return rows


def _seen_elsewhere(path: Path) -> str:
    """Format and size as ffprobe has them, once ffmpeg has decoded all without a complaint."""
    complaints = reading.decode_complaints(path)
    assert complaints == [], complaints
    (stream,) = reading.stream_facts(path)["streams"]
    container = {"mjpeg": "jpeg"}.get(stream["codec_name"], stream["codec_name"])
    return f"{container} {stream['width']}x{stream['height']}"


def main() -> None:
    """Print the table of a folder."""
    print("\t".join(COLUMNS))  # noqa: T201
    for source in sorted(Path(sys.argv[1]).iterdir()):
        with tempfile.TemporaryDirectory() as folder:
            for row in outcomes(source, Path(folder)):
                print("\t".join(row), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
