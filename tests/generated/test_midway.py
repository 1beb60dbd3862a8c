"""Streams that change midway come out as one clip, every picture whole."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from fixtures.clips import make_clip
from fixtures.spec import ClipSpec, Container, Gop, Timing
from preprocess import ClipPlan, Intent, Route, Target, load_profile, process_file
from tests import second_reader

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")

FRAMES = 40


def part(name: str, width: int, height: int, start_s: Fraction, pixel_format: str) -> ClipSpec:
    return ClipSpec(
        name=name,
        frames=FRAMES,
        frame_rate=Fraction(30),
        width=width,
        height=height,
        container=Container.MPEGTS,
        gop=Gop(length=20),
        sound=None,
        timing=Timing(start_s=start_s),
        pixel_format=pixel_format,
    )


@pytest.mark.parametrize(
    ("width", "height", "pixel_format", "lit"),
    [
        (480, 270, "yuv420p", 854),  # the same shape: calls and browsers step down like this
        (480, 854, "yuv420p", 270),  # a phone that was turned
        (854, 480, "yuv422p", 854),
    ],
)
def test_a_size_that_changes_midway_gives_one_consistent_clip(
    width: int, height: int, pixel_format: str, lit: int, tmp_path: Path
) -> None:
    one = make_clip(part("one", 854, 480, Fraction(0), "yuv420p"), tmp_path / "one.ts")
    more = part("two", width, height, Fraction(FRAMES, 30), pixel_format)
    two = make_clip(more, tmp_path / "two.ts")
    source = tmp_path / "joined.ts"
    source.write_bytes(one.read_bytes() + two.read_bytes())
    report = process_file(
        source, intent=Intent(ratio="16:9"), target=Target(directory=tmp_path, stem="out")
    )

    assert report.error is None, report.error
    assert isinstance(report.plan, ClipPlan)
    assert report.attempts == ()
    assert report.output is not None
    assert second_reader.accept_objections(report.output, load_profile("seedance-2-0-mini")) == []
    assert reading.frame_numbers(report.output) == [*range(FRAMES), *range(FRAMES)]
    assert abs(lit_columns(report.output) - lit) <= 4


def test_joined_clips_are_not_kept_although_their_index_looks_fine(tmp_path: Path) -> None:
    """``ffmpeg -f concat -c copy`` leaves the second size in the pictures alone."""
    sizes = [("one", 854, 480), ("two", 960, 540)]
    for name, width, height in sizes:
        spec = part(name, width, height, Fraction(0), "yuv420p")
        make_clip(replace(spec, container=Container.MP4), tmp_path / f"{name}.mp4")
    (tmp_path / "list").write_text("file one.mp4\nfile two.mp4\n", encoding="ascii")
    source = tmp_path / "joined.mp4"
    command = ["ffmpeg", "-v", "error", "-f", "concat", "-i", str(tmp_path / "list")]
    bare = ["-map_metadata", "-1", "-fflags", "+bitexact"]
    subprocess.run([*command, "-c", "copy", *bare, str(source)], check=True, capture_output=True)
    report = process_file(source, target=Target(directory=tmp_path, stem="out"))

    assert report.error is None, report.error
    assert report.plan is not None
    assert report.plan.route is Route.ENCODE
    assert "video.changes" in {reason.rule for reason in report.reasons}
    assert report.output is not None
    assert reading.frame_numbers(report.output) == [*range(FRAMES), *range(FRAMES)]


def lit_columns(path: Path) -> int:
    """Columns of the last picture that are not black all the way down."""
    filters = f"select=eq(n\\,{2 * FRAMES - 1}),scale=iw:1:flags=area,format=gray"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", filters, "-frames:v", "1"]
    line = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    return sum(luma > 30 for luma in line)
