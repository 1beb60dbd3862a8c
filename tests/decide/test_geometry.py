"""Sizes, shapes and orientations."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from preprocess.geometry import (
    Box,
    Orientation,
    Size,
    SizeLimits,
    centred_crop,
    clamp_aspect,
    displayed_size,
    inner_size,
    nearest_legal_size,
    orientation_of,
)
from tests.decide.clips import PROFILE
from tests.decide.searching import widely

LIMITS = PROFILE.target.size_limits
SIDES = st.integers(1, 8192)
SIZES = st.builds(Size, SIDES, SIDES)
SHAPES = st.fractions(Fraction(2, 5), Fraction(5, 2), max_denominator=10_000)
AREAS = st.integers(LIMITS.min_area_px, LIMITS.max_area_px)


# --- orientation ---------------------------------------------------------------------------------

# What each linear part does to the corner at the top right, (1, -1), with y pointing down.
MATRICES = [
    ((1, 0, 0, 1), Orientation.NORMAL, 0, False, (1, -1)),
    ((0, 1, -1, 0), Orientation.CLOCKWISE, 90, False, (1, 1)),
    ((-1, 0, 0, -1), Orientation.HALF_TURN, 180, False, (-1, 1)),
    ((0, -1, 1, 0), Orientation.COUNTERCLOCKWISE, 270, False, (-1, -1)),
    ((-1, 0, 0, 1), Orientation.MIRRORED, 0, True, (-1, -1)),
    ((0, -1, -1, 0), Orientation.MIRRORED_COUNTERCLOCKWISE, 270, True, (1, -1)),
    ((1, 0, 0, -1), Orientation.UPSIDE_DOWN_MIRRORED, 180, True, (1, 1)),
    ((0, 1, 1, 0), Orientation.MIRRORED_CLOCKWISE, 90, True, (-1, 1)),
]


@pytest.mark.parametrize(("matrix", "orientation", "degrees", "mirrored", "corner"), MATRICES)
def test_each_of_the_eight_matrices_has_its_orientation(
    matrix: tuple[int, int, int, int],
    orientation: Orientation,
    degrees: int,
    *,
    mirrored: bool,
    corner: tuple[int, int],
) -> None:
    a, b, c, d = matrix

    assert orientation_of(*matrix) is orientation
    assert (orientation.rotation_deg, orientation.mirrored) == (degrees, mirrored)
    assert (a * 1 + c * -1, b * 1 + d * -1) == corner
    assert _turned_then_mirrored(1, -1, orientation) == corner


def _turned_then_mirrored(x: int, y: int, orientation: Orientation) -> tuple[int, int]:
    for _ in range(orientation.rotation_deg // 90):
        x, y = -y, x  # clockwise, y pointing down
    return (-x, y) if orientation.mirrored else (x, y)


def test_every_orientation_has_a_matrix() -> None:
    assert {row[1] for row in MATRICES} == set(Orientation)


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (1, 1, 0, 1), (1, 0, 0, 0), (1, 1, -1, 1)])
def test_a_matrix_that_shears_or_flattens_has_no_orientation(
    matrix: tuple[int, int, int, int],
) -> None:
    assert orientation_of(*matrix) is None


@pytest.mark.parametrize("orientation", Orientation)
def test_a_quarter_turn_swaps_the_sides(orientation: Orientation) -> None:
    sideways = orientation.rotation_deg in (90, 270)

    assert orientation.swaps_sides == sideways
    shown = Size(1080, 1920) if sideways else Size(1920, 1080)
    assert displayed_size(Size(1920, 1080), Fraction(1), orientation) == shown


@pytest.mark.parametrize(
    ("stored", "pixel", "shown"),
    [
        (Size(1440, 1080), "4/3", Size(1920, 1080)),
        (Size(720, 576), "64/45", Size(1024, 576)),
        (Size(720, 576), "16/15", Size(768, 576)),
        (Size(720, 480), "8/9", Size(720, 540)),
        (Size(720, 480), "0", Size(720, 480)),
        (Size(0, 0), "4/3", Size(0, 0)),
    ],
)
def test_the_side_that_grows_is_stretched(stored: Size, pixel: str, shown: Size) -> None:
    """No stored detail is lost."""
    turned = Size(shown.height, shown.width)

    assert displayed_size(stored, Fraction(pixel), Orientation.NORMAL) == shown
    assert displayed_size(stored, Fraction(pixel), Orientation.MIRRORED_CLOCKWISE) == turned


def test_a_size_without_height_has_no_shape() -> None:
    assert Size(100, 0).aspect == 0
    assert str(Size(1280, 720)) == "1280x720"


# --- legal sizes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "legal"),
    [
        (Size(640, 640), True),
        (Size(640, 638), False),
        (Size(834, 1112), True),
        (Size(836, 1112), False),
        (Size(1280, 720), True),
        (Size(1281, 720), False),
        (Size(1280, 719), False),
        (Size(1520, 608), True),
        (Size(1522, 608), False),
        (Size(608, 1520), True),
        (Size(606, 1520), False),
        (Size(1500, 300), False),
    ],
)
def test_a_size_is_legal_up_to_the_very_limits(size: Size, *, legal: bool) -> None:
    assert LIMITS.allow(size) == legal


def test_the_sides_have_limits_of_their_own() -> None:
    wide = replace(LIMITS, min_area_px=1, max_area_px=10**9, min_aspect=Fraction(1, 100))

    assert wide.allow(Size(300, 300))
    assert not wide.allow(Size(298, 300))
    assert not wide.allow(Size(300, 298))
    assert wide.allow(Size(6000, 6000))
    assert not wide.allow(Size(6000, 6002))


@pytest.mark.parametrize(
    ("shown", "becomes"),
    [
        (Size(640, 360), Size(864, 486)),
        (Size(852, 480), Size(856, 482)),  # 852x480 has 640 px too few, and 854x481 an odd side
        (Size(1080, 1350), Size(856, 1070)),
        (Size(3840, 2160), Size(1280, 720)),
        (Size(2160, 3840), Size(720, 1280)),
        (Size(1920, 1080), Size(1280, 720)),
        (Size(480, 480), Size(640, 640)),
        (Size(4000, 1600), Size(1520, 608)),
        (Size(1600, 4000), Size(608, 1520)),
    ],
)
def test_known_sizes_become_legal_ones_of_the_same_shape(shown: Size, becomes: Size) -> None:
    area = min(max(shown.area, LIMITS.min_area_px), LIMITS.max_area_px)

    assert nearest_legal_size(shown.aspect, area, LIMITS) == becomes


@widely(300)
@given(SHAPES, AREAS)
def test_every_legal_shape_and_area_has_a_legal_size_nearby(shape: Fraction, area: int) -> None:
    """Rounding may step over a limit: 1522x609 for 2.5 is odd, and 1522x608 too wide."""
    found = nearest_legal_size(shape, area, LIMITS)

    assert found is not None
    assert LIMITS.allow(found)
    assert abs(float(found.aspect / shape) - 1) <= 0.004
    assert abs(found.area / area - 1) <= 0.05


@pytest.mark.parametrize("shape", [Fraction(2, 5), Fraction(5, 2)])
@pytest.mark.parametrize("area", [LIMITS.min_area_px, 600_000, LIMITS.max_area_px])
def test_the_corners_of_the_limits_are_reached(shape: Fraction, area: int) -> None:
    found = nearest_legal_size(shape, area, LIMITS)

    assert found is not None
    assert LIMITS.allow(found)
    assert found.aspect == shape
    assert abs(found.area / area - 1) <= 0.03


LIMIT_SETS = st.builds(
    SizeLimits,
    min_area_px=st.integers(1, 300_000),
    max_area_px=st.integers(300_000, 4_000_000),
    min_side_px=st.integers(1, 400),
    max_side_px=st.integers(1000, 6000),
    side_multiple=st.sampled_from([1, 2, 4, 8, 16]),
    min_aspect=st.just(Fraction(2, 5)),
    max_aspect=st.just(Fraction(5, 2)),
)


@widely(300)
@given(st.fractions(Fraction(1, 50), 50), st.integers(0, 10**7), LIMIT_SETS)
def test_whatever_is_found_is_legal(shape: Fraction, area: int, limits: SizeLimits) -> None:
    found = nearest_legal_size(shape, area, limits)

    assert found is None or limits.allow(found)


@widely(100)
@given(LIMIT_SETS, st.integers(25, 90), st.integers(25, 90))
def test_a_legal_size_is_its_own_nearest_one(limits: SizeLimits, columns: int, rows: int) -> None:
    size = Size(columns * 16, rows * 16)
    assume(limits.allow(size))

    assert nearest_legal_size(size.aspect, size.area, limits) == size


def test_no_shape_has_no_size() -> None:
    assert nearest_legal_size(Fraction(0), 600_000, LIMITS) is None
    assert nearest_legal_size(Fraction(-1), 600_000, LIMITS) is None
    assert nearest_legal_size(Fraction(16, 9), 100, LIMITS) is None


def test_a_shape_is_moved_to_the_nearest_limit() -> None:
    shapes = [Fraction(1, 10), Fraction(2, 5), Fraction(1), Fraction(5, 2), Fraction(10)]

    assert [clamp_aspect(shape, LIMITS) for shape in shapes] == [
        Fraction(2, 5), Fraction(2, 5), 1, Fraction(5, 2), Fraction(5, 2),
    ]  # fmt: skip


# --- boxes ---------------------------------------------------------------------------------------


def test_a_crop_is_centred() -> None:
    assert centred_crop(Size(1920, 1080), Fraction(1)) == Box(420, 0, Size(1080, 1080))
    assert centred_crop(Size(1080, 1920), Fraction(16, 9)) == Box(0, 656, Size(1080, 608))
    assert centred_crop(Size(1280, 720), Fraction(16, 9)) == Box(0, 0, Size(1280, 720))


@widely()
@given(SIZES, SHAPES)
def test_a_crop_lies_inside_and_touches_two_edges(size: Size, shape: Fraction) -> None:
    box = centred_crop(size, shape)

    assert box.x >= 0
    assert box.y >= 0
    assert box.x + box.size.width <= size.width
    assert box.y + box.size.height <= size.height
    assert box.size.width == size.width or box.size.height == size.height
    assert abs(size.width - box.size.width - 2 * box.x) <= 1
    assert abs(size.height - box.size.height - 2 * box.y) <= 1
    # Each side is rounded to a whole pixel.
    assert abs(box.size.width - box.size.height * shape) <= Fraction(1, 2) + shape / 2 + 1


@widely()
@given(SIZES, st.fractions(Fraction(1, 100), 100), st.sampled_from([1, 2, 16]))
def test_a_padded_picture_fits_into_its_canvas(
    canvas: Size, shape: Fraction, multiple: int
) -> None:
    assume(min(canvas.width, canvas.height) >= multiple)
    inside = inner_size(canvas, shape, multiple)

    assert multiple <= inside.width <= canvas.width
    assert multiple <= inside.height <= canvas.height
    assert inside.width % multiple == inside.height % multiple == 0
    touches_width = canvas.width - inside.width < 2 * multiple
    assert touches_width or canvas.height - inside.height < 2 * multiple


def test_a_padded_picture_is_as_large_as_it_can_be() -> None:
    assert inner_size(Size(1280, 720), Fraction(1), 2) == Size(720, 720)
    assert inner_size(Size(720, 1280), Fraction(16, 9), 2) == Size(720, 404)
    assert inner_size(Size(1520, 608), Fraction(10_000), 2) == Size(1520, 2)
