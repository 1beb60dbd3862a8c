"""Decisions about still images over generated sizes, ratios and fits; no file is made."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from preprocess import (
    Fit,
    Gravity,
    ImagePlan,
    Intent,
    Resolution,
    Role,
    Route,
    load_profile,
)
from preprocess.facts import Dynamic, Facts, Kind, StillImage
from preprocess.geometry import Orientation, Size
from preprocess.planner import decide

PROFILE = load_profile("seedance-2-0-mini")
SIDES = st.integers(1, 9000)
SIZES = st.builds(Size, SIDES, SIDES) | st.sampled_from(
    [Size(1, 1), Size(1, 9999), Size(9999, 1), *PROFILE.sizes["720p"].values()]
)
FITS = st.sampled_from(list(Fit))
RATIOS = st.sampled_from(["adaptive", *PROFILE.sizes["720p"]])


def still(stored: Size, orientation: Orientation = Orientation.NORMAL) -> Facts:
    """A plain JPEG."""
    turned = Size(stored.height, stored.width)
    image = StillImage(
        stored=stored,
        displayed=turned if orientation.swaps_sides else stored,
        orientation=orientation,
        mode="RGB",
        bit_depth=8,
        coding="baseline",
        alpha=False,
        animated=False,
        profile_name=None,
        srgb=True,
        profile_broken=False,
        primaries=None,
        transfer=None,
        dynamic=Dynamic.SDR,
    )
    return Facts(
        kind=Kind.IMAGE,
        container="jpeg",
        description="JPEG image",
        size_bytes=100_000,
        supported=True,
        image=image,
    )


def planned(facts: Facts, intent: Intent) -> ImagePlan:
    plan = decide(facts, PROFILE, intent)
    assert isinstance(plan, ImagePlan), plan
    return plan


def size_of(plan: ImagePlan) -> Size:
    return Size(plan.expected.width_px, plan.expected.height_px)


def assert_fitted(plan: ImagePlan, displayed: Size, fit: Fit) -> None:
    """Cropped inside the picture, or whole on the canvas; squashed by less than a pixel."""
    encoding = plan.encoding
    assert encoding is not None
    assert encoding.canvas == size_of(plan)
    kept = encoding.crop or displayed
    assert kept.width <= displayed.width
    assert kept.height <= displayed.height
    assert encoding.scaled.width <= encoding.canvas.width
    assert encoding.scaled.height <= encoding.canvas.height
    if fit is Fit.CROP:
        assert encoding.scaled == encoding.canvas
        assert kept.width == displayed.width or kept.height == displayed.height
    else:
        assert encoding.crop is None
        assert (
            encoding.scaled.width == encoding.canvas.width
            or encoding.scaled.height == encoding.canvas.height
        )
    across = Fraction(encoding.scaled.width, kept.width)
    down = Fraction(encoding.scaled.height, kept.height)
    # One pixel of rounding, of the part that is kept or of what is made of it.
    room = max(Fraction(1), across, down)
    assert abs(kept.width * down - encoding.scaled.width) <= room * max(Fraction(1), kept.aspect)
    assert abs(kept.height * across - encoding.scaled.height) <= room * max(
        Fraction(1), 1 / kept.aspect
    )


@given(
    SIZES,
    st.sampled_from(list(Orientation)),
    RATIOS,
    FITS,
    st.sampled_from(list(Resolution)),
    st.sampled_from(list(Gravity)),
    st.sampled_from([Role.FIRST_FRAME, Role.LAST_FRAME]),
)
def test_a_frame_is_as_large_as_the_table_says_and_then_stays(
    stored: Size,
    orientation: Orientation,
    ratio: str,
    fit: Fit,
    resolution: Resolution,
    gravity: Gravity,
    role: Role,
) -> None:
    facts = still(stored, orientation)
    assert facts.image is not None
    intent = Intent(role=role, ratio=ratio, fit=fit, resolution=resolution, gravity=gravity)
    plan = planned(facts, intent)

    assert plan.ratio is not None
    assert ratio in ("adaptive", plan.ratio)
    assert size_of(plan) == PROFILE.sizes[resolution.value][plan.ratio]
    if plan.route is Route.KEEP:
        assert orientation is Orientation.NORMAL
        assert size_of(plan) == stored
    else:
        assert_fitted(plan, facts.image.displayed, fit)
    assert planned(still(size_of(plan)), intent).route is Route.KEEP


@example(Size(1160, 1000))  # by differences 1:1 would be nearer than 4:3
@example(Size(1000, 1160))
@given(SIZES)
def test_the_nearest_ratio_is_near_by_logarithms(size: Size) -> None:
    """Twice as wide is as far as half as wide."""
    plan = planned(still(size), Intent(role=Role.FIRST_FRAME))
    wanted = math.log(size.width / size.height)
    far = {
        name: abs(math.log(nominal.width / nominal.height) - wanted)
        for name, nominal in PROFILE.sizes["720p"].items()
    }
    assert plan.ratio is not None
    assert far[plan.ratio] == pytest.approx(min(far.values()), abs=1e-9)


@given(SIZES, st.sampled_from(["adaptive", "16:9", "1:1", "2:5"]), FITS)
def test_a_reference_is_inside_the_limits_and_then_stays(size: Size, ratio: str, fit: Fit) -> None:
    intent = Intent(role=Role.REFERENCE_IMAGE, ratio=ratio, fit=fit)
    plan = planned(still(size), intent)
    result, limits = size_of(plan), PROFILE.images

    assert limits.min_side_px <= min(result.width, result.height)
    assert max(result.width, result.height) <= limits.max_side_px
    assert result.area <= limits.max_area_px
    assert limits.min_aspect <= result.aspect <= limits.max_aspect
    if plan.route is Route.KEEP:
        assert result == size
    else:
        assert_fitted(plan, size, fit)
    assert planned(still(result), intent).route is Route.KEEP


@pytest.mark.parametrize(
    ("size", "fit", "words"),
    [
        (Size(3000, 300), Fit.PAD, "padded with black and scaled down"),
        (Size(3000, 300), Fit.CROP, "cropped and scaled up"),
        (Size(2000, 2000), Fit.CROP, "scaled down"),
        (Size(960, 400), Fit.PAD, "padded with black"),
        (Size(960, 4000), Fit.CROP, "cropped"),
        (Size(96, 96), Fit.BLUR, "scaled up"),
    ],
)
def test_what_is_done_to_a_frame_is_said(size: Size, fit: Fit, words: str) -> None:
    plan = planned(still(size), Intent(role=Role.FIRST_FRAME, ratio="1:1", fit=fit))
    assert [reason.fix for reason in plan.reasons] == [words]


def test_several_objections_are_told_at_once() -> None:
    facts = still(Size(20_000, 20_000))
    assert facts.image is not None
    facts = replace(facts, image=replace(facts.image, bit_depth=32))
    rejection = decide(facts, PROFILE, Intent(role=Role.FIRST_FRAME))
    assert not isinstance(rejection, ImagePlan)
    rules = {reason.rule for reason in rejection.reasons}
    assert rules == {"image.pixels", "image.mode"}
