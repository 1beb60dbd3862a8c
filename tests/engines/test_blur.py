"""Padding with a blurred copy: a clip looks as a still does."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from fixtures import reading
from preprocess import Fit, Intent, Options, Role, Status, Target, process_file
from preprocess.plan import ClipPlan
from tests.animations import moving
from tests.images import stills

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")
GRID = 24
"""Spots a side that are compared."""


def made(source: Path, name: str, intent: Intent) -> Path:
    output = source.parent / name
    report = process_file(
        source, intent=intent, target=Target(output=output), options=Options(force=True)
    )
    assert report.status is Status.PREPARED, report.error
    if isinstance(report.plan, ClipPlan):
        assert report.plan.encoding is not None
        assert report.plan.encoding.canvas != report.plan.encoding.scaled
    return output


def spots(path: Path) -> list[list[tuple[int, ...]]]:
    """The last picture, as rows of colours."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", f"scale={GRID}:{GRID}:flags=area"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout[-3 * GRID * GRID :]
    flat = [tuple(data[at : at + 3]) for at in range(0, len(data), 3)]
    return [flat[at : at + GRID] for at in range(0, len(flat), GRID)]


@pytest.mark.parametrize(("size", "ratio"), [((640, 360), "1:1"), ((361, 641), "16:9")])
def test_a_clip_is_blurred_as_a_still_is(size: tuple[int, int], ratio: str, tmp_path: Path) -> None:
    picture = stills.picture(*size)
    reverse = picture.transpose(Image.Transpose.ROTATE_180)
    source = moving.save(tmp_path / "a", "webp", [reverse, picture], 1000)
    still = stills.save(picture, tmp_path / "b", "png")
    blurred = Intent(ratio=ratio, fit=Fit.BLUR)
    clip = spots(made(source, "a.mp4", blurred))
    image = spots(
        made(still, "b.png", Intent(ratio=ratio, fit=Fit.BLUR, role=Role.REFERENCE_IMAGE))
    )

    # In the middle the quarters meet: an edge may lie half a pixel off.
    for row in (*range(GRID // 2 - 1), *range(GRID // 2 + 1, GRID)):
        seen, wanted = clip[row], image[row]
        # Where the sharp picture ends, a row of spots holds some of both.
        far = [stills.far(a, b) for a, b in zip(seen, wanted, strict=True)]
        assert sorted(far)[len(far) * 3 // 4] <= 14, far


def test_what_is_inside_stays_sharp_and_what_is_outside_is_not_black(tmp_path: Path) -> None:
    source = moving.animation(tmp_path / "a", "webp", 25, 80)
    output = made(source, "a.mp4", Intent(ratio="1:1", fit=Fit.BLUR))

    assert reading.frame_numbers(output) == [n // 2 for n in range(50)]
    assert min(max(spot) for spot in spots(output)[0]) > 40
