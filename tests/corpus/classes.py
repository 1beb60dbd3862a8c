"""What becomes of the corpus by class of file, as a table for people.

    python -m tests.corpus.classes FOLDER

FOLDER holds the corpus. Counted from the checked-in outcome table (mode edit, level safe, short
clips held) and from what a probe says of each file; ffmpeg is asked what it can decode.
"""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess import Facts, Status, probe_file
from tests.corpus.outcomes import sources
from tests.corpus.test_corpus import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Iterator

_GOOD = {Status.PREPARED.value, Status.UNCHANGED.value}
_PLAIN_SOUND = {"aac", "mp3"}


def main(corpus: Path) -> None:
    """Print the table, and each file that ffmpeg decodes and we refuse."""
    counts: dict[str, list[int]] = {}
    decodable, refused = 0, []
    for source in sources(corpus):
        row = next(
            row
            for row in EXPECTED[f"{source.parent.name}/{source.name}"]
            if row[1:4] == ("edit", "safe", "hold")
        )
        good = row[4] in _GOOD
        for name in classes(source, row[6].split(",")):
            counts.setdefault(name, [0, 0])[good] += 1
        if ffmpeg_decodes(source):
            decodable += 1
            if not good:
                refused.append((source.name, row[6]))
    print(f"{'class':24} {'ready':>6} {'refused':>8}")  # noqa: T201
    for name, (bad, ready) in sorted(counts.items()):
        print(f"{name:24} {ready:>6} {bad:>8}")  # noqa: T201
    ready = decodable - len(refused)
    print(f"of {decodable} files with a picture that ffmpeg decodes, {ready} are ready")  # noqa: T201
    for name, rules in refused:
        print(f"  refused: {name}: {rules}")  # noqa: T201


def classes(source: Path, rules: list[str]) -> Iterator[str]:
    """The classes a file is in; most are in several."""
    yield f"all of {source.parent.name}"
    facts = probe_file(source)
    if facts.fault is not None:
        yield f"damaged ({facts.fault})"
    if facts.video is None:
        return
    yield from _picture(facts, rules)
    audio = facts.audio
    if audio is None:
        yield "no sound"
    elif audio.codec not in _PLAIN_SOUND or audio.channels not in (1, 2):
        yield "odd sound"
    if len(facts.streams) > 2:
        yield "several tracks"


def _picture(facts: Facts, rules: list[str]) -> Iterator[str]:
    video = facts.video
    assert video is not None
    tests = {
        "HDR": "video.hdr" in rules,
        "interlaced": bool(video.interlaced),
        "variable rate": "video.variable_rate" in rules,
        "odd constant rate": "video.frame_rate" in rules,
        "turned or mirrored": "video.rotation" in rules,
        "pixels not square": video.sample_aspect != Fraction(1),
        "edit list": "video.edit_list" in rules,
        "over 8 bits": (video.bit_depth or 8) > 8,
        "transparency": video.alpha,
        "over 15 s": "video.duration" in rules,
        "under 2 s": "video.short" in rules,
    }
    yield from (name for name, inside in tests.items() if inside)


def ffmpeg_decodes(source: Path) -> bool:
    """Whether ffmpeg decodes the first 15 s of a moving picture without an error of its decoder."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-xerror", "-t", "15", "-i", f"file:{source}"]
    done = subprocess.run(
        [*command, "-map", "0:V:0", "-f", "framemd5", "-"], check=False, capture_output=True
    )
    pictures = [line for line in done.stdout.splitlines() if not line.startswith(b"#")]
    return done.returncode == 0 and len(pictures) > 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
