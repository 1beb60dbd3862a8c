"""How the shown picture becomes a legal one: cut, scaled, padded; and how it is encoded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocess.encoding import (
    LOWEST_VIDEO_BPS,
    assumed_matrix,
    colours_to_convert,
    level,
    max_video_rate_bps,
)
from preprocess.facts import Dynamic
from preprocess.geometry import Box, Orientation, Size, SizeLimits
from preprocess.intent import Fit, Intent
from preprocess.plan import (
    AudioAction,
    AudioPlan,
    ClipPlan,
    Colours,
    Rejection,
    Route,
    VideoEncoding,
)
from preprocess.planner import decide
from preprocess.shape import TargetPicture, target_picture
from tests.decide.clips import PROFILE, clip, closed, facts_of, rules, table_of, video_of
from tests.decide.searching import widely
from tests.strategies import POSSIBLE_RATIOS, RATIOS

if TYPE_CHECKING:
    from preprocess.facts import Facts

LIMITS = PROFILE.target.size_limits
RENDERED = tuple(
    sorted(
        {size for table in PROFILE.sizes.values() for size in table.values()},
        key=lambda size: -size.area,
    )
)
TABLE = table_of([closed(90)])


def picture(
    shown: Size, *, ratio: str = "adaptive", fit: Fit | None = None
) -> TargetPicture | None:
    video = video_of(TABLE, coded=shown)
    return target_picture(video, LIMITS, Intent(ratio=ratio, fit=fit), RENDERED)


def whole(size: Size) -> TargetPicture:
    return TargetPicture(crop=None, scaled=size, canvas=size)


@pytest.mark.parametrize(
    ("shown", "becomes"),
    [
        (Size(1920, 1080), Size(1280, 720)),
        (Size(3840, 2160), Size(1280, 720)),
        (Size(1080, 1920), Size(720, 1280)),
        (Size(4000, 3000), Size(1112, 834)),
        (Size(3024, 4032), Size(834, 1112)),
        (Size(1080, 1080), Size(960, 960)),
        (Size(2940, 1260), Size(1470, 630)),
        (Size(1080, 1350), Size(856, 1070)),
        (Size(640, 360), Size(864, 486)),
        (Size(480, 480), Size(640, 640)),
        (Size(1280, 720), Size(1280, 720)),
        (Size(864, 496), Size(864, 496)),
    ],
)
def test_a_picture_of_a_legal_shape_keeps_it(shown: Size, becomes: Size) -> None:
    """Scaled down, it takes a size the model renders itself, where one is near."""
    assert picture(shown) == whole(becomes)


def test_an_odd_side_is_trimmed_as_scaling_would_soften_everything() -> None:
    assert picture(Size(1281, 721)) == TargetPicture(
        crop=Box(0, 0, Size(1280, 720)), scaled=Size(1280, 720), canvas=Size(1280, 720)
    )
    assert picture(Size(961, 960)) == TargetPicture(
        crop=Box(0, 0, Size(960, 960)), scaled=Size(960, 960), canvas=Size(960, 960)
    )


def test_an_odd_side_is_scaled_where_trimming_would_leave_the_limits() -> None:
    found = picture(Size(641, 641))
    too_small = picture(Size(639, 641))

    assert found is not None
    assert found.scaled == Size(640, 640)
    assert too_small is not None
    assert LIMITS.allow(too_small.canvas)
    assert too_small.crop is None


def test_too_long_a_shape_is_padded_to_the_limit() -> None:
    found = picture(Size(3000, 1000))

    assert found is not None
    assert found.crop is None
    assert found.canvas == Size(1520, 608)
    assert found.scaled == Size(1520, 506)


def test_a_cropped_shape_keeps_the_middle() -> None:
    found = picture(Size(3000, 1000), fit=Fit.CROP)

    assert found is not None
    assert found.crop == Box(250, 0, Size(2500, 1000))
    assert found.scaled == found.canvas == Size(1520, 608)


def test_a_wanted_shape_is_padded_or_cropped_to() -> None:
    padded = picture(Size(1920, 1080), ratio="1:1")
    cropped = picture(Size(1920, 1080), ratio="9:16", fit=Fit.CROP)

    assert padded == TargetPicture(crop=None, scaled=Size(960, 540), canvas=Size(960, 960))
    assert cropped is not None
    assert cropped.crop == Box(656, 0, Size(608, 1080))
    assert cropped.canvas == cropped.scaled == Size(608, 1080)


def test_a_shape_nearer_than_a_row_is_the_same() -> None:
    """854x480 is what 16:9 is called at 480 rows."""
    found = picture(Size(854, 480), ratio="16:9")

    assert found == whole(Size(854, 480))


def test_a_trim_does_not_lose_the_shape_that_was_asked_for() -> None:
    """0.29 % off is near enough, and 0.53 % after a column and a row are gone is not."""
    limits = replace(LIMITS, side_multiple=4)
    video = video_of(TABLE, coded=Size(1279, 720))
    plain, asked = (
        target_picture(video, limits, Intent(ratio=ratio), ()) for ratio in ("adaptive", "16:9")
    )

    assert plain is not None
    assert plain.scaled == Size(1276, 720)
    assert asked is not None
    assert abs(asked.canvas.aspect / Fraction(16, 9) - 1) < Fraction(3, 1000)
    assert asked.crop is None


def test_no_picture_has_no_target() -> None:
    assert picture(Size(0, 0)) is None
    assert picture(Size(1920, 0)) is None


SIDES = st.integers(1, 8192)


@widely(400)
@given(
    st.builds(Size, SIDES, SIDES),
    st.sampled_from(RATIOS),
    st.sampled_from([None, Fit.CROP, Fit.PAD]),
)
def test_every_picture_becomes_a_legal_one_with_its_shape_kept(
    shown: Size, ratio: str, fit: Fit | None
) -> None:
    found = picture(shown, ratio=ratio, fit=fit)

    assert found is not None
    assert LIMITS.allow(found.canvas)
    assert_inside(Box(0, 0, shown), found.crop or Box(0, 0, shown))
    assert found.scaled.width <= found.canvas.width
    assert found.scaled.height <= found.canvas.height
    assert found.scaled.width % 2 == found.scaled.height % 2 == 0
    assert found.crop is None or found.scaled == found.canvas
    if fit is not Fit.CROP and found.crop is not None:
        assert shown.width - found.crop.size.width <= 1
        assert shown.height - found.crop.size.height <= 1
    kept = found.crop.size if found.crop else shown
    assert_undistorted(kept, found.scaled)


def assert_inside(outer: Box, inner: Box) -> None:
    assert inner.size.width >= 1
    assert inner.size.height >= 1
    assert inner.x >= 0
    assert inner.x + inner.size.width <= outer.size.width
    assert inner.y >= 0
    assert inner.y + inner.size.height <= outer.size.height


def assert_undistorted(kept: Size, scaled: Size) -> None:
    """Sides are rounded to whole and even pixels: each may be one source or two target ones off."""
    if max(kept.aspect, 1 / kept.aspect) > 50:
        return  # a line, which nobody films, becomes at least two pixels thick
    across, down = scaled.width / kept.width, scaled.height / kept.height
    slack = 0.005 + 2 / min(scaled.width, scaled.height) + 1 / min(kept.width, kept.height)
    assert abs(across / down - 1) <= slack


@widely()
@given(st.builds(Size, SIDES, SIDES), st.sampled_from(RATIOS[1:]))
def test_the_canvas_has_the_shape_that_was_asked_for(shown: Size, ratio: str) -> None:
    found = picture(shown, ratio=ratio)
    wanted = Intent(ratio=ratio).wanted_aspect

    assert found is not None
    assert wanted is not None
    wanted = min(max(wanted, LIMITS.min_aspect), LIMITS.max_aspect)
    assert abs(float(found.canvas.aspect / wanted) - 1) <= 0.005


def test_a_shape_without_any_legal_size_is_an_objection_only_where_pixels_change() -> None:
    narrow = replace(PROFILE.target, min_side_px=900)
    profile = replace(PROFILE, target=narrow)
    wide = clip(4, coded=Size(1470, 630))

    assert rules(decide(wide, profile, Intent())) == set()
    assert rules(decide(clip(4, coded=Size(1470, 630), codec="vp9"), profile, Intent())) == {
        "video.size"
    }


def test_no_size_is_found_where_the_limits_leave_none() -> None:
    none = SizeLimits(
        min_area_px=1000,
        max_area_px=1001,
        min_side_px=300,
        max_side_px=6000,
        side_multiple=2,
        min_aspect=Fraction(1),
        max_aspect=Fraction(1),
    )

    assert target_picture(video_of(TABLE), none, Intent(), ()) is None


# --- the encoder's settings ----------------------------------------------------------------------


def encoding_of(found: Facts, intent: Intent | None = None) -> VideoEncoding:
    plan = decide(found, PROFILE, intent or Intent())
    assert isinstance(plan, ClipPlan)
    assert plan.route is Route.ENCODE
    assert plan.encoding is not None
    return plan.encoding


def test_the_rate_ceiling_leaves_room_for_buffer_sound_and_container() -> None:
    """0.97 * 8 * bytes / (T + 0.9 * buffer of 1 s), minus the sound."""
    sound = AudioPlan(action=AudioAction.ENCODE, stream=1, bit_rate_bps=160_000)
    copied = AudioPlan(action=AudioAction.COPY, stream=1)
    silent = AudioPlan(action=AudioAction.DROP)
    ceiling = 0.97 * 8 * 50_000_000 / 15.9

    assert max_video_rate_bps(50_000_000, Fraction(15), silent) == int(ceiling)
    assert max_video_rate_bps(50_000_000, Fraction(15), sound) == int(ceiling - 160_000)
    assert max_video_rate_bps(50_000_000, Fraction(15), copied) == int(ceiling - 256_000)
    assert max_video_rate_bps(1000, Fraction(15), sound) == LOWEST_VIDEO_BPS


@given(st.integers(1_000_000, 10**9), st.integers(2, 15))
def test_a_stream_at_the_ceiling_stays_under_the_byte_cap(cap: int, seconds: int) -> None:
    sound = AudioPlan(action=AudioAction.ENCODE, stream=1, bit_rate_bps=160_000)
    rate = max_video_rate_bps(cap, Fraction(seconds), sound)
    worst = rate * (seconds + 0.9) + 160_000 * seconds

    assert rate == LOWEST_VIDEO_BPS or worst / 8 <= 0.97 * cap


def test_an_encode_is_told_everything_the_engine_needs() -> None:
    found = encoding_of(clip(4, Fraction(15), coded=Size(1920, 1080), full_range=True, alpha=True))

    assert (found.orientation, found.oriented) == (Orientation.NORMAL, Size(1920, 1080))
    assert (found.crop, found.scaled, found.canvas) == (None, Size(1280, 720), Size(1280, 720))
    assert (found.frame_rate, found.writes) == (30, (2,) * 60)
    assert (found.matrix_in, found.colours_in) == ("bt709", None)
    assert found.full_range_in
    assert found.flatten
    assert (found.crf, found.preset, found.keyframe_interval) == (19, "superfast", 60)
    assert found.buffer_bits == found.max_rate_bps


@pytest.mark.parametrize(
    ("coded", "named", "assumed"),
    [
        (Size(1920, 1080), None, "bt709"),
        (Size(1280, 720), None, "bt709"),
        (Size(1024, 576), None, "smpte170m"),
        (Size(1024, 577), None, "bt709"),
        (Size(1279, 480), None, "smpte170m"),
        (Size(640, 480), "bt2020nc", "bt2020nc"),
    ],
)
def test_an_untagged_picture_has_the_matrix_that_players_assume(
    coded: Size, named: str | None, assumed: str
) -> None:
    assert assumed_matrix(video_of(TABLE, coded=coded, color_matrix=named)) == assumed


def test_primaries_of_bt2020_mean_its_matrix() -> None:
    found = video_of(TABLE, color_matrix=None, color_primaries="bt2020")

    assert assumed_matrix(found) == "bt2020nc"


@pytest.mark.parametrize(
    ("dynamic", "transfer"), [(Dynamic.PQ, "smpte2084"), (Dynamic.HLG, "arib-std-b67")]
)
def test_hdr_that_names_nothing_else_is_bt2020(dynamic: Dynamic, transfer: str) -> None:
    found = encoding_of(
        clip(4, dynamic=dynamic, color_matrix=None, color_primaries=None, color_transfer=None)
    )

    assert found.matrix_in == "bt2020nc"
    assert found.colours_in == Colours(primaries="bt2020", transfer=transfer)


@pytest.mark.parametrize(
    ("primaries", "transfer", "converted"),
    [
        ("bt709", "bt709", None),
        ("smpte170m", None, None),
        ("bt470bg", "gamma28", None),
        ("bt2020", "bt2020-10", Colours(primaries="bt2020", transfer="bt2020-10")),
        ("smpte432", None, Colours(primaries="smpte432", transfer="bt709")),
        (None, "linear", Colours(primaries="bt709", transfer="linear")),
    ],
)
def test_only_colours_that_would_be_shown_wrong_are_converted(
    primaries: str | None, transfer: str | None, converted: Colours | None
) -> None:
    video = video_of(TABLE, color_primaries=primaries, color_transfer=transfer)

    assert colours_to_convert(video) == converted


def test_a_turned_picture_is_planned_upright() -> None:
    found = encoding_of(clip(4, coded=Size(1920, 1080), orientation=Orientation.CLOCKWISE))

    assert (found.oriented, found.scaled, found.crop) == (Size(1080, 1920), Size(720, 1280), None)


def test_a_crop_is_told_in_stored_pixels() -> None:
    """1440x1080 with pixels of 4:3 is shown as 1920x1080."""
    anamorphic = clip(4, coded=Size(1440, 1080), sample_aspect=Fraction(4, 3))
    found = encoding_of(anamorphic, Intent(ratio="1:1", fit=Fit.CROP))

    assert found.crop == Box(315, 0, Size(810, 1080))
    assert found.scaled == Size(960, 960)


@widely()
@given(
    st.builds(Size, SIDES, SIDES),
    st.sampled_from(["1", "4/3", "1/2", "64/45", "1000", "1/1000"]),
    st.sampled_from(list(Orientation)),
    st.sampled_from(POSSIBLE_RATIOS),
)
def test_a_crop_in_stored_pixels_lies_inside_the_stored_picture(
    coded: Size, pixel: str, orientation: Orientation, ratio: str
) -> None:
    odd = video_of(
        TABLE, coded=coded, sample_aspect=Fraction(pixel), orientation=orientation, codec="vp9"
    )
    found = encoding_of(facts_of(odd), Intent(ratio=ratio, fit=Fit.CROP))
    sideways = orientation.swaps_sides

    assert found.oriented == (Size(coded.height, coded.width) if sideways else coded)
    assert_inside(Box(0, 0, found.oriented), found.crop or Box(0, 0, found.oriented))


@pytest.mark.parametrize("ratio", ["5:1", "1:3", "2501:1000"])
def test_a_ratio_nobody_takes_is_refused(ratio: str) -> None:
    """It could only become another one, under the name of the one asked for."""
    decision = decide(clip(10), PROFILE, Intent(ratio=ratio))

    assert isinstance(decision, Rejection)
    assert [(each.rule, each.limit) for each in decision.reasons] == [
        ("video.ratio", "0.4 to 2.5, width over height")
    ]


@pytest.mark.parametrize(
    ("size", "rate", "name"),
    [
        (Size(720, 576), 25, "3.0"),
        (Size(864, 496), 30, "3.1"),
        (Size(1280, 720), 30, "3.1"),
        (Size(1280, 720), 60, "3.2"),
        (Size(1920, 1080), 30, "4.0"),
        (Size(1920, 1080), 60, "4.2"),
        (Size(3840, 2160), 30, "5.1"),
    ],
    ids=str,
)
def test_the_level_is_the_lowest_with_room(size: Size, rate: int, name: str) -> None:
    """ITU-T H.264, annex A; a rate ceiling for a few seconds would say 5 for any of them."""
    assert level(size, Fraction(rate))[0] == name


@widely(60)
@given(st.integers(2, 15), st.sampled_from([24, 25, 30, 60]))
def test_no_level_is_given_more_bits_than_it_has(seconds: int, rate: int) -> None:
    plan = decide(clip(seconds, rate, coded=Size(1600, 1200)), PROFILE, Intent())
    assert isinstance(plan, ClipPlan)
    assert plan.encoding is not None
    _, bps, buffer = level(plan.encoding.canvas, Fraction(rate))

    assert plan.encoding.max_rate_bps <= bps
    assert plan.encoding.buffer_bits <= buffer
