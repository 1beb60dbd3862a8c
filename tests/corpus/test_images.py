"""Real images, every role, against the checked-in table."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from tests.corpus.image_outcomes import COLUMNS, outcomes
from tests.corpus.test_corpus import CORPUS as WHOLE
from tests.corpus.test_corpus import HERE

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = WHOLE / "image"


def expected() -> dict[str, list[tuple[str, ...]]]:
    """The rows of the table by file."""
    with (HERE / "images.tsv").open(encoding="utf-8", newline="") as table:
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
    rows = [row for rows in EXPECTED.values() for row in rows]

    assert {row[2] for row in rows} <= {"unchanged", "prepared", "rejected"}
    assert all(row[5] for row in rows if row[2] == "rejected")


@needs_corpus
def test_the_table_covers_the_corpus() -> None:
    assert set(EXPECTED) == {path.name for path in CORPUS.iterdir()}


@needs_corpus
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_corpus_image_ends_as_the_table_says(name: str, tmp_path: Path) -> None:
    source = CORPUS / name
    before = source.stat()
    assert outcomes(source, tmp_path) == EXPECTED[name]
    after = source.stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
