"""Real files, every option set, against the checked-in table."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from tests.corpus.outcomes import COLUMNS, outcomes, sources

HERE = Path(__file__).parent
# The corpus is shared between projects and stands beside this one.
CORPUS = Path(os.environ.get("CLIPREADY_CORPUS", HERE.parents[2] / "shared" / "corpus"))


def expected() -> dict[str, list[tuple[str, ...]]]:
    """The rows of the table by file."""
    with (HERE / "expected.tsv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert tuple(rows[0]) == COLUMNS
    found: dict[str, list[tuple[str, ...]]] = {}
    for row in rows[1:]:
        found.setdefault(row[0], []).append(tuple(row))
    return found


EXPECTED = expected()
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}")


def test_no_outcome_is_a_failure() -> None:
    """Whatever people upload is prepared, or refused with a reason."""
    statuses = {row[4] for rows in EXPECTED.values() for row in rows}

    assert statuses <= {"unchanged", "prepared", "rejected"}
    assert all(row[6] for rows in EXPECTED.values() for row in rows if row[4] == "rejected")


@needs_corpus
def test_the_table_covers_the_corpus() -> None:
    assert set(EXPECTED) == {f"{path.parent.name}/{path.name}" for path in sources(CORPUS)}


@needs_corpus
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_corpus_file_ends_as_the_table_says(name: str, tmp_path: Path) -> None:
    source = CORPUS / name
    before = source.stat()
    found = outcomes(source, tmp_path)

    assert [outcome.row for outcome in found] == EXPECTED[name]
    assert [outcome.objections for outcome in found if outcome.objections] == []
    after = source.stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
