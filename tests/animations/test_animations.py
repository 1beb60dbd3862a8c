"""Animated images as clips: every picture at its time, on white, and stills where those are wanted.

Results are read by the ffmpeg binary, which took no part in making them.
"""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw

from fixtures import reading
from preprocess import (
    ClipPlan,
    ImagePlan,
    Intent,
    Mode,
    Options,
    Rejection,
    Report,
    Role,
    Short,
    Status,
    Target,
    load_profile,
    parse_window,
    plan_file,
    probe_file,
    process_file,
)
from tests import second_reader
from tests.animations import moving
from tests.images import colours

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")
PROFILE = load_profile("seedance-2-0-mini")


def made(source: Path, **wanted: Any) -> Report:  # noqa: ANN401 - fields of Intent
    """The result of work that has to end well, and that another reader would accept."""
    (source.parent / "out").mkdir(exist_ok=True)
    report = process_file(
        source,
        intent=Intent(**wanted),
        target=Target(directory=source.parent / "out"),
        options=Options(force=True),
    )
    assert report.status is Status.PREPARED, report.error
    assert report.output is not None
    if isinstance(report.plan, ClipPlan):
        assert second_reader.accept_objections(report.output, PROFILE) == []
    return report


def numbers(report: Report) -> list[int | None]:
    assert report.output is not None
    return reading.frame_numbers(report.output)


def colour(report: Report, frame: int, x: float, y: float) -> tuple[int, int, int]:
    """What a picture of the result shows at a place in fractions of it."""
    assert report.output is not None
    track = reading.stream_facts(report.output)["streams"][0]
    at = f"crop=2:2:{int(track['width'] * x)}:{int(track['height'] * y)}"
    command = ["ffmpeg", "-v", "error", "-i", str(report.output), "-map", "0:v:0"]
    command += ["-vf", f"select=eq(n\\,{frame}),{at}", "-frames:v", "1", "-f", "rawvideo"]
    pixels = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], check=True, capture_output=True)
    red, green, blue = pixels.stdout[:3]
    return red, green, blue


def near(found: tuple[int, int, int], wanted: tuple[int, ...], most: int = 12) -> bool:
    return all(abs(a - b) <= most for a, b in zip(found, wanted, strict=True))


# --- pictures and times ------------------------------------------------------------------------


@pytest.mark.parametrize("container", moving.FORMATS)
def test_each_picture_is_shown_at_its_time(container: str, tmp_path: Path) -> None:
    source = moving.animation(tmp_path / "a", container, 25, 80)
    report = made(source)
    facts = report.facts

    assert facts is not None
    assert facts.image is not None
    assert facts.image.animated
    assert facts.video is not None
    assert (facts.video.frames, facts.video.duration_s) == (25, 2)
    assert numbers(report) == [n // 2 for n in range(50)]


@pytest.mark.parametrize("container", moving.FORMATS)
def test_uneven_delays_do_not_drift(container: str, tmp_path: Path) -> None:
    delays = [40, 200, 520, 40, 360, 80, 400, 600]
    report = made(moving.animation(tmp_path / "a", container, len(delays), delays))
    found = numbers(report)
    assert isinstance(report.plan, ClipPlan)
    rate, at = report.plan.expected.frame_rate, 0

    assert len(found) == round(Fraction(sum(delays), 1000) * rate)
    for number, delay in enumerate(delays):
        first = round(Fraction(at, 1000) * rate)
        assert found.index(number) in (first - 1, first, first + 1), (number, found)
        at += delay


@pytest.mark.parametrize("container", moving.FORMATS)
def test_the_pause_on_the_last_picture_is_kept(container: str, tmp_path: Path) -> None:
    report = made(moving.animation(tmp_path / "a", container, 6, [100] * 5 + [1900]))
    found = numbers(report)
    assert isinstance(report.plan, ClipPlan)

    assert report.plan.expected.duration_s == Fraction(24, 10)
    assert len(found) - found.index(5) == round(Fraction(19, 10) * report.plan.expected.frame_rate)


@pytest.mark.parametrize("container", moving.FORMATS)
def test_a_short_one_can_be_repeated(container: str, tmp_path: Path) -> None:
    source = moving.animation(tmp_path / "a", container, 10, 100)
    refused = plan_file(source)
    report = made(source, short=Short.LOOP)

    assert isinstance(refused, Rejection)
    assert [reason.rule for reason in refused.reasons] == ["video.short"]
    assert numbers(report) == [n // 3 for n in range(30)] * 2


@pytest.mark.parametrize("container", ["gif", "png", "webp"])
def test_any_part_can_be_taken(container: str, tmp_path: Path) -> None:
    source = moving.animation(tmp_path / "a", container, 36, 500)
    middle = made(source, window=parse_window("4..7"))
    assert numbers(middle)[::12] == [8, 9, 10, 11, 12, 13]
    end = made(source, mode=Mode.EXTEND)
    assert numbers(end)[::12] == list(range(6, 36))


@pytest.mark.parametrize("container", moving.FORMATS)
@pytest.mark.parametrize(("stated_ms", "shown_ms"), [(0, 100), (10, 100), (20, 20)])
def test_delays_nobody_can_mean_are_shown_as_browsers_do(
    container: str, stated_ms: int, shown_ms: int, tmp_path: Path
) -> None:
    if (container, stated_ms) == ("avif", 0):
        pytest.skip("libavif writes no delay of 0")
    images = [moving.numbered(n, (128, 64)) for n in range(4)]
    source = moving.save(tmp_path / "a", container, images, stated_ms)
    facts = probe_file(source)

    assert facts.video is not None
    assert facts.video.duration_s == Fraction(4 * shown_ms, 1000)


# --- clip or still -----------------------------------------------------------------------------


@pytest.mark.parametrize("container", moving.FORMATS)
def test_the_role_says_whether_it_is_a_clip_or_its_first_picture(
    container: str, tmp_path: Path
) -> None:
    source = moving.animation(tmp_path / "a", container, 25, 80)
    for wanted in (Intent(), Intent(mode=Mode.EXTEND), Intent(mode=Mode.REFERENCE)):
        assert isinstance(plan_file(source, intent=wanted), ClipPlan)
    for role in (Role.FIRST_FRAME, Role.LAST_FRAME, Role.REFERENCE_IMAGE):
        assert isinstance(plan_file(source, intent=Intent(role=role)), ImagePlan)
    report = made(source, mode=Mode.I2V_FIRST)

    assert report.output is not None
    assert numbers(report) == [0]
    with Image.open(report.output) as image:
        assert not getattr(image, "is_animated", False)


@pytest.mark.parametrize(("mode", "role"), [(None, "edit_video"), (Mode.I2V_FIRST, "first_frame")])
def test_the_receipt_says_what_it_was_used_as(mode: Mode | None, role: str, tmp_path: Path) -> None:
    report = made(moving.animation(tmp_path / "a", "gif", 25, 80), mode=mode)
    assert report.receipt is not None
    receipt = json.loads(report.receipt.read_text())

    assert receipt["intent"]["role"] == role
    assert receipt["facts"]["animated"] is True
    assert receipt["facts"]["kind"] == "image"
    assert (receipt["facts"]["frames"], receipt["facts"]["frame_rate"]) == (25, "25/2")


@pytest.mark.parametrize("container", moving.FORMATS)
def test_one_picture_is_a_still(container: str, tmp_path: Path) -> None:
    facts = probe_file(moving.animation(tmp_path / "a", container, 1, 100))

    assert facts.image is not None
    assert not facts.image.animated
    assert facts.video is None


def test_a_png_that_only_says_it_moves_is_a_still(tmp_path: Path) -> None:
    """Its ``acTL`` announces two thousand million pictures; the file has one."""
    source = moving.animation(tmp_path / "a", "png", 1, 100)
    data = source.read_bytes()
    head = moving.chunk(b"acTL", (1 << 31).to_bytes(4, "big") + bytes(4))
    source.write_bytes(data[:33] + head + data[33:])
    facts = probe_file(source)

    assert facts.image is not None
    assert not facts.image.animated
    assert isinstance(plan_file(source), ImagePlan)


def test_the_picture_for_old_readers_is_no_part_of_it(tmp_path: Path) -> None:
    """A PNG can hold one for readers that know no animations."""
    images = [moving.numbered(n) for n in (99, *range(25))]
    source = moving.save(tmp_path / "a", "png", images, 80, default_image=True)

    assert numbers(made(source)) == [n // 2 for n in range(50)]


# --- how pictures are laid on each other -------------------------------------------------------

ALL, SMALL, SPOT = (0, 0, 64, 64), (32, 32, 16, 16), (0, 0, 8, 8)
WHITE = (255, 255, 255)
CASES = {
    "left": (1, None, moving.BLUE),
    "cleared": (2, 3, WHITE),
    "cleared, nothing being clear": (2, None, moving.RED),
    "taken back": (3, None, moving.GREEN),
    "unspecified": (0, 3, moving.BLUE),
}
"""Disposal of the small picture, its clear colour, and what is seen there afterwards."""


@pytest.mark.parametrize("case", CASES)
def test_a_gif_disposes_as_it_says(case: str, tmp_path: Path) -> None:
    disposal, clear, afterwards = CASES[case]
    source = tmp_path / "a.gif"
    source.write_bytes(
        moving.gif(
            [
                (ALL, 1, 1, clear, 100),
                (SMALL, 2, disposal, clear, 100),
                (SPOT, 1, 1, clear, 100),
            ]
        )
    )
    report = made(source)

    assert near(colour(report, 12, 0.6, 0.6), moving.GREEN)
    assert near(colour(report, 36, 0.6, 0.6), moving.BLUE)
    assert near(colour(report, 60, 0.6, 0.6), afterwards)


def test_a_disposal_holds_for_its_own_picture_only(tmp_path: Path) -> None:
    source = tmp_path / "a.gif"
    pictures = [(ALL, 1, 1, 3, 100), (SPOT, 2, 2, 3, 100), (SMALL, 2, 0, 3, 100)]
    source.write_bytes(moving.gif([*pictures, (SPOT, 1, 1, 3, 100)]))

    assert near(colour(made(source), 84, 0.6, 0.6), moving.BLUE)


@pytest.mark.parametrize(("clear", "alpha"), [(None, False), (3, True)])
def test_a_gif_is_transparent_where_something_may_be_seen_through(
    clear: int | None, *, alpha: bool, tmp_path: Path
) -> None:
    """A clear colour of later pictures only saves bytes: it shows the picture before."""
    source = tmp_path / "a.gif"
    source.write_bytes(moving.gif([(ALL, 1, 1, clear, 100), (SMALL, 2, 1, 3, 100)]))
    facts = probe_file(source)

    assert facts.video is not None
    assert facts.video.alpha is alpha


@pytest.mark.parametrize("container", moving.FORMATS)
def test_what_is_transparent_becomes_white(container: str, tmp_path: Path) -> None:
    """As of stills, so that a clip and its first frame are one picture."""
    images = []
    for n in range(4):
        image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
        ImageDraw.Draw(image).ellipse((0, 16, 32, 48), fill=(*moving.PALETTE[n], 255))
        images.append(image)
    source = moving.save(tmp_path / "a", container, images, 500, disposal=2)
    report = made(source)
    still = made(source, role=Role.FIRST_FRAME)

    assert "video.alpha" in {reason.rule for reason in report.reasons}
    for n, wanted in enumerate(moving.PALETTE):
        assert near(colour(report, 12 * n + 6, 0.25, 0.5), wanted, 20)
        assert near(colour(report, 12 * n + 6, 0.75, 0.5), WHITE)
    assert near(colour(still, 0, 0.75, 0.5), WHITE)


def test_a_half_clear_picture_is_laid_on_the_last_one(tmp_path: Path) -> None:
    below = Image.new("RGBA", (64, 64), (255, 0, 0, 255))
    above = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    above.paste((0, 0, 255, 128), (32, 0, 64, 64))
    source = moving.save(tmp_path / "a", "png", [below, above], 500, blend=[0, 1], disposal=0)
    report = made(source, short=Short.LOOP)

    for frame in (18, 42):
        assert near(colour(report, frame, 0.75, 0.5), (127, 0, 128))
        assert near(colour(report, frame, 0.25, 0.5), (255, 0, 0))


def test_a_first_picture_laid_on_nothing_is_as_any(tmp_path: Path) -> None:
    images = [moving.numbered(n).convert("RGBA") for n in range(25)]
    source = moving.save(tmp_path / "a", "png", images, 80, blend=1)

    assert numbers(made(source)) == [n // 2 for n in range(50)]


@pytest.mark.parametrize("container", ["png", "webp", "avif"])
def test_a_colour_profile_is_applied(container: str, tmp_path: Path) -> None:
    images = [Image.new("RGB", (64, 64), shade) for shade in ((200, 60, 60), (60, 60, 200))]
    profile = colours.matrix_profile(colours.DISPLAY_P3, colours.srgb_curve())
    source = moving.save(tmp_path / "a", container, images, 1000, icc_profile=profile)
    clip, still = made(source), made(source, role=Role.FIRST_FRAME)

    assert not near(colour(still, 0, 0.5, 0.5), (200, 60, 60), 6)
    assert near(colour(clip, 0, 0.5, 0.5), colour(still, 0, 0.5, 0.5), 4)
