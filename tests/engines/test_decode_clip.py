"""`decode_clip`: a clip is whole, or it is refused; no profile has a say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from fixtures.clips import make_clip
from fixtures.spec import ClipSpec
from preprocess import InputRejected, decode_clip, decode_clip_async, probe_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Too small and too short for any model."""
    path = tmp_path_factory.mktemp("decode") / "clip.mp4"
    make_clip(ClipSpec(name="clip", frames=24, width=128, height=96), path)
    return path


def test_a_whole_clip_is_measured(clip: Path) -> None:
    facts = decode_clip(clip)

    assert facts.video is not None
    assert len(facts.video.table.pts) == 24
    assert facts.size_bytes == clip.stat().st_size
    assert asyncio.run(decode_clip_async(clip)) == facts
    assert facts.audio == probe_file(clip).audio


def damaged(clip: Path, target: Path) -> Path:
    """With its coded pictures overwritten, and its index as it was."""
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    length = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    middle = start + length // 2
    data[middle : middle + length // 4] = b"\xff" * (length // 4)
    target.write_bytes(data)
    return target


def test_a_clip_with_broken_pictures_is_refused(clip: Path, tmp_path: Path) -> None:
    """An index alone would not tell."""
    broken = damaged(clip, tmp_path / "broken.mp4")
    assert probe_file(broken).fault is None

    with pytest.raises(InputRejected) as caught:
        decode_clip(broken)
    assert caught.value.code == "input.corrupt"


def test_half_a_clip_is_refused(clip: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.mp4"
    half.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])

    with pytest.raises(InputRejected):
        decode_clip(half)


def test_what_is_no_clip_is_refused(tmp_path: Path) -> None:
    image, text, empty = (tmp_path / name for name in ("a.png", "b.mp4", "c.mp4"))
    Image.new("RGB", (64, 64)).save(image)
    text.write_text("<html>not found</html>")
    empty.touch()
    for path in (image, text, empty, tmp_path / "missing.mp4"):
        with pytest.raises(InputRejected):
            decode_clip(path)
