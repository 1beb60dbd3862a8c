"""Sizes, boxes and orientations of pictures. Pure; every size is in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """Width and height, named so that they are never swapped."""

    width: int
    height: int

    @property
    def area(self) -> int:
        """Pixels in the picture."""
        return self.width * self.height

    @property
    def aspect(self) -> Fraction:
        """Width over height; 0 for a size without height."""
        return Fraction(self.width, self.height) if self.height else Fraction(0)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Box:
    """A region inside a picture."""

    x: int
    y: int
    size: Size


class Gravity(StrEnum):
    """Which part of a picture is kept when it is cropped."""

    CENTRE = "centre"
    NORTH = "north"
    NORTH_EAST = "north_east"
    EAST = "east"
    SOUTH_EAST = "south_east"
    SOUTH = "south"
    SOUTH_WEST = "south_west"
    WEST = "west"
    NORTH_WEST = "north_west"
    AUTO = "auto"
    """Where the detail is."""


class Orientation(StrEnum):
    """The eight ways a stored picture can be meant to be shown (ISO/IEC 14496-12 matrix)."""

    NORMAL = "normal"
    CLOCKWISE = "clockwise"
    HALF_TURN = "half_turn"
    COUNTERCLOCKWISE = "counterclockwise"
    MIRRORED = "mirrored"
    MIRRORED_CLOCKWISE = "mirrored_clockwise"
    UPSIDE_DOWN_MIRRORED = "upside_down_mirrored"
    MIRRORED_COUNTERCLOCKWISE = "mirrored_counterclockwise"

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places when it is applied."""
        return self in _SIDEWAYS

    @property
    def rotation_deg(self) -> int:
        """Clockwise turn that shows the picture upright, mirroring apart: 0, 90, 180, 270."""
        return _ROTATION_DEG[self]

    @property
    def mirrored(self) -> bool:
        """Whether the picture is flipped left to right, after it is turned."""
        return self in _MIRRORED


_SIDEWAYS = frozenset(
    {
        Orientation.CLOCKWISE,
        Orientation.COUNTERCLOCKWISE,
        Orientation.MIRRORED_CLOCKWISE,
        Orientation.MIRRORED_COUNTERCLOCKWISE,
    }
)
_MIRRORED = frozenset(
    {
        Orientation.MIRRORED,
        Orientation.MIRRORED_CLOCKWISE,
        Orientation.UPSIDE_DOWN_MIRRORED,
        Orientation.MIRRORED_COUNTERCLOCKWISE,
    }
)
_ROTATION_DEG = {
    Orientation.NORMAL: 0,
    Orientation.CLOCKWISE: 90,
    Orientation.HALF_TURN: 180,
    Orientation.COUNTERCLOCKWISE: 270,
    Orientation.MIRRORED: 0,
    Orientation.MIRRORED_CLOCKWISE: 90,
    Orientation.UPSIDE_DOWN_MIRRORED: 180,
    Orientation.MIRRORED_COUNTERCLOCKWISE: 270,
}
# (a, b, c, d) of the matrix: x' = a*x + c*y, y' = b*x + d*y, y pointing down.
_BY_MATRIX = {
    (1, 0, 0, 1): Orientation.NORMAL,
    (0, 1, -1, 0): Orientation.CLOCKWISE,
    (-1, 0, 0, -1): Orientation.HALF_TURN,
    (0, -1, 1, 0): Orientation.COUNTERCLOCKWISE,
    (-1, 0, 0, 1): Orientation.MIRRORED,
    (0, -1, -1, 0): Orientation.MIRRORED_COUNTERCLOCKWISE,
    (1, 0, 0, -1): Orientation.UPSIDE_DOWN_MIRRORED,
    (0, 1, 1, 0): Orientation.MIRRORED_CLOCKWISE,
}


def orientation_of(a: int, b: int, c: int, d: int) -> Orientation | None:
    """The orientation of a display matrix given by the signs of its linear part.

    ``None`` for a matrix that does more than turn by quarters and mirror.
    """
    return _BY_MATRIX.get((a, b, c, d))


def displayed_size(stored: Size, sample_aspect: Fraction, orientation: Orientation) -> Size:
    """The size at which a stored picture is meant to be seen, in square pixels.

    The side that grows is stretched, never the other one shrunk, so no stored detail is lost.
    """
    width, height = stored.width, stored.height
    if sample_aspect > 1:
        width = round(width * sample_aspect)
    elif 0 < sample_aspect < 1:
        height = round(height / sample_aspect)
    return Size(height, width) if orientation.swaps_sides else Size(width, height)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLimits:
    """What sizes are legal."""

    min_area_px: int
    max_area_px: int
    min_side_px: int
    max_side_px: int
    side_multiple: int
    min_aspect: Fraction
    max_aspect: Fraction

    def allow(self, size: Size) -> bool:
        """Whether *size* keeps every limit."""
        return (
            self.min_area_px <= size.area <= self.max_area_px
            and min(size.width, size.height) >= self.min_side_px
            and max(size.width, size.height) <= self.max_side_px
            and size.width % self.side_multiple == 0
            and size.height % self.side_multiple == 0
            and self.min_aspect <= size.aspect <= self.max_aspect
        )


# A legal size lies within a few multiples of the ideal one except at the very corner of the
# area and aspect limits, where up to this many multiples had to be looked at.
_SEARCH_REACH = 12
# A distorted picture is worse than a slightly smaller one: 1280x720 beats 1284x722 for 16:9.
_SHAPE_WEIGHT = 32


def nearest_legal_size(aspect: Fraction, area: int, limits: SizeLimits) -> Size | None:
    """The legal size whose shape is nearest to *aspect* and whose area is near *area*.

    Rounding to the side multiple can leave the area or aspect limits, so every candidate is
    checked again after rounding. ``None`` where no size near the wanted one is legal.
    """
    if aspect <= 0:
        return None
    step = limits.side_multiple
    ideal_height = max(area, 1) ** 0.5 / float(aspect) ** 0.5
    ideal_width = ideal_height * float(aspect)
    column, row = round(ideal_width / step), round(ideal_height / step)
    reach = range(-_SEARCH_REACH, _SEARCH_REACH + 1)
    legal = (
        size
        for dx in reach
        for dy in reach
        if (size := Size((column + dx) * step, (row + dy) * step)).width > 0
        and size.height > 0
        and limits.allow(size)
    )
    return min(
        legal,
        key=lambda size: (
            _SHAPE_WEIGHT * abs(size.width / size.height / float(aspect) - 1)
            + abs(size.area / max(area, 1) - 1),
            size,
        ),
        default=None,
    )


def clamp_aspect(aspect: Fraction, limits: SizeLimits) -> Fraction:
    """*aspect* moved into the legal range."""
    return min(max(aspect, limits.min_aspect), limits.max_aspect)


def inner_size(canvas: Size, aspect: Fraction, multiple: int) -> Size:
    """The largest picture of shape *aspect* inside *canvas*, sides rounded down to *multiple*."""
    width = min(Fraction(canvas.width), canvas.height * aspect)
    height = width / aspect
    return Size(
        max(multiple, _floor_to(round(width), multiple)),
        max(multiple, _floor_to(round(height), multiple)),
    )


def centred_crop(size: Size, aspect: Fraction) -> Box:
    """The largest centred region of *size* with shape *aspect*."""
    width = min(Fraction(size.width), size.height * aspect)
    kept = Size(max(1, round(width)), max(1, min(size.height, round(width / aspect))))
    return Box((size.width - kept.width) // 2, (size.height - kept.height) // 2, kept)


def rescaled(box: Box, old: Size, new: Size) -> Box:
    """*box* of a picture of size *old* in the same picture of size *new*."""
    across, down = Fraction(new.width, old.width), Fraction(new.height, old.height)
    size = Size(
        max(1, min(new.width, round(box.size.width * across))),
        max(1, min(new.height, round(box.size.height * down))),
    )
    x = min(round(box.x * across), new.width - size.width)
    y = min(round(box.y * down), new.height - size.height)
    return Box(x, y, size)


def _floor_to(value: int, multiple: int) -> int:
    return value - value % multiple
