"""Files that are sound alone, with or without a cover: no video, and told as such."""

from __future__ import annotations

import pytest

from preprocess import Status, process_file
from tests.corpus.test_corpus import CORPUS

AUDIO = CORPUS.parent / "audio"
FILES = sorted(AUDIO.iterdir()) if AUDIO.is_dir() else []


@pytest.mark.skipif(not FILES, reason=f"no corpus at {AUDIO}")
def test_sound_alone_is_no_video() -> None:
    told = {}
    for source in FILES:
        report = process_file(source)
        assert report.status is Status.REJECTED
        told[source.name] = [reason.rule for reason in report.reasons]

    assert told == {source.name: ["input.audio_only"] for source in FILES}
