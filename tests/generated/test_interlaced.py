"""Fields become pictures: a bar that moves between fields has one place in each picture."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from preprocess import Intent, Report, Route, Short, Target, load_profile, process_file
from tests import second_reader

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to make fields with")

STEP_PX = 8
"""Between two fields, in a source 352 pixels wide."""
WIDTH, HEIGHT = 352, 288
MOVING_BAR = (
    f"color=black:s={WIDTH}x{HEIGHT}:r=50:d=2.4,"
    f"geq=lum='235*between(X,{STEP_PX}*mod(N,32),{STEP_PX}*mod(N,32)+60)':cb=128:cr=128"
)
CODINGS = {
    "mpeg2-tff.ts": ("interleave_top", "tff", ["mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct"]),
    "mpeg2-bff.ts": (
        "interleave_bottom",
        "bff",
        ["mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct"],
    ),
    "mbaff.mp4": ("interleave_top", "tff", ["libx264", "-x264-params", "tff=1"]),
    "mbaff-bff.mkv": ("interleave_bottom", "bff", ["libx264", "-x264-params", "bff=1"]),
}


def interlaced(path: Path, weave: str, order: str, codec: list[str]) -> Path:
    """25 frames a second of two fields each, 20 ms apart."""
    filters = f"{MOVING_BAR},tinterlace={weave},setfield={order}"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", filters]
    first = "1" if order == "tff" else "0"
    subprocess.run(
        [*command, "-c:v", *codec, "-top", first, str(path)], check=True, capture_output=True
    )
    return path


def bar_edges(path: Path, width: int, height: int) -> list[tuple[float, float]]:
    """Where the bar begins on even and on odd rows of each picture, in source pixels."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-pix_fmt", "gray"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    size = width * height
    return [
        (_edge(picture, width, height // 2), _edge(picture, width, height // 2 + 1))
        for picture in (raw[n : n + size] for n in range(0, len(raw), size))
    ]


def edges_of(report: Report) -> list[tuple[float, float]]:
    assert report.output is not None
    assert report.output_facts is not None
    assert report.output_facts.video is not None
    size = report.output_facts.video.displayed
    return bar_edges(report.output, size.width, size.height)


def _edge(picture: bytes, width: int, row: int) -> float:
    line = picture[row * width : (row + 1) * width]
    return next((x for x, luma in enumerate(line) if luma > 120), 0) * WIDTH / width


@pytest.mark.parametrize("name", CODINGS)
def test_fields_become_pictures_in_their_order(name: str, tmp_path: Path) -> None:
    source = interlaced(tmp_path / name, *CODINGS[name])
    combed = bar_edges(source, WIDTH, HEIGHT)
    found = edges_of(prepared(source, tmp_path))

    assert abs(combed[5][0] - combed[5][1]) == STEP_PX
    assert len(found) == len(combed) == 60
    for even, odd in found:
        assert abs(even - odd) <= 1.5
    # One picture a frame, at the time of its first field: the bar moves by two steps each.
    moves = [(b[0] - a[0]) % (32 * STEP_PX) for a, b in pairwise(found[:15])]
    assert moves == pytest.approx([2 * STEP_PX] * 14, abs=1.5)
    assert [even for even, _ in found[:10]] == pytest.approx(
        [2 * STEP_PX * n for n in range(10)], abs=2
    )


def prepared(source: Path, folder: Path) -> Report:
    report = process_file(
        source,
        intent=Intent(short=Short.HOLD),
        target=Target(directory=folder, stem=f"{source.name}-ready"),
    )
    assert report.error is None, report.error
    assert report.plan is not None
    assert report.plan.route is Route.ENCODE
    assert "video.scan" in {reason.rule for reason in report.reasons}
    assert report.output is not None
    assert second_reader.accept_objections(report.output, load_profile("seedance-2-0-mini")) == []
    return report


def test_telecine_is_not_combed(tmp_path: Path) -> None:
    """24 fps as 60 fields: two of five frames hold fields of two pictures."""
    source = tmp_path / "telecine.ts"
    film = f"{MOVING_BAR},settb=1001/24000,setpts=N,fps=24000/1001"
    filters = f"{film},telecine=pattern=23,setfield=tff"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", filters]
    codec = ["-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct", "-top", "1"]
    subprocess.run([*command, *codec, str(source)], check=True, capture_output=True)
    combed = bar_edges(source, WIDTH, HEIGHT)
    found = edges_of(prepared(source, tmp_path))

    assert sum(even != odd for even, odd in combed[:50]) == pytest.approx(20, abs=1)
    assert all(abs(even - odd) <= 1.5 for even, odd in found)
    moves = [(b[0] - a[0]) % (32 * STEP_PX) for a, b in pairwise(found[:26])]
    assert sum(move > 4 for move in moves) == pytest.approx(20, abs=1)


def test_progressive_pictures_of_an_interlaced_stream_stay_as_they_are(tmp_path: Path) -> None:
    """Soft telecine and cameras that mix: only frames that are marked as fields are touched."""
    source = tmp_path / "progressive.ts"
    filters = f"{MOVING_BAR},fps=25"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", filters]
    codec = ["-c:v", "mpeg2video", "-q:v", "2"]
    subprocess.run([*command, *codec, str(source)], check=True, capture_output=True)
    report = process_file(
        source, intent=Intent(short=Short.HOLD), target=Target(directory=tmp_path, stem="out")
    )

    assert report.error is None
    assert "video.scan" not in {reason.rule for reason in report.reasons}
