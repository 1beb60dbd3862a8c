"""From the shown picture to the size and region of the result. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.geometry import (
    Box,
    Size,
    SizeLimits,
    centred_crop,
    clamp_aspect,
    inner_size,
    nearest_legal_size,
)
from preprocess.intent import Fit, Intent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from preprocess.facts import VideoTrack

_NEAR_PREFERRED = 0.08
"""A size that the model renders itself is taken when its area is this near to the wanted one."""
_SAME_SHAPE = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPicture:
    """How the shown picture is cut, scaled and padded."""

    crop: Box | None
    """Region of the shown, square-pixel picture that is kept."""
    scaled: Size
    canvas: Size
    blur: bool = False
    """Padded with a blurred copy of itself instead of black."""


def wanted_aspect(displayed: Size, limits: SizeLimits, intent: Intent) -> Fraction:
    """The shape of the result."""
    return clamp_aspect(intent.wanted_aspect or displayed.aspect, limits)


def target_picture(
    video: VideoTrack, limits: SizeLimits, intent: Intent, preferred: Iterable[Size]
) -> TargetPicture | None:
    """Size and region of an encoded result, or ``None`` where no legal size is near.

    A picture that only has an odd side loses that row or column: scaling would soften all of it.
    """
    shown = video.displayed
    if not shown.area:
        return None
    wanted = wanted_aspect(shown, limits, intent)
    reshaped = not _is_near(shown, wanted)
    if reshaped and intent.wanted_fit is not Fit.CROP:
        blur = intent.wanted_fit is Fit.BLUR
        return _padded(shown, wanted, limits, preferred, blur=blur)
    crop = centred_crop(shown, wanted) if reshaped else None
    kept = crop.size if crop else shown
    step = limits.side_multiple
    even = Size(kept.width - kept.width % step, kept.height - kept.height % step)
    # Trimmed on top of a small difference, a shape that was asked for can be lost.
    if limits.allow(even) and (intent.wanted_aspect is None or _is_near(even, wanted)):
        if even == kept:
            return TargetPicture(crop=crop, scaled=kept, canvas=kept)
        box = Box(crop.x if crop else 0, crop.y if crop else 0, even)
        return TargetPicture(crop=box, scaled=even, canvas=even)
    # Rounded to whole pixels, the crop of a tiny picture can leave the legal shapes again.
    size = _legal(kept.aspect, kept.area, limits, preferred) or _legal(
        wanted, kept.area, limits, preferred
    )
    return TargetPicture(crop=crop, scaled=size, canvas=size) if size else None


def _is_near(size: Size, aspect: Fraction) -> bool:
    return abs(float(size.aspect / aspect) - 1) <= _SAME_SHAPE


def _padded(
    shown: Size, wanted: Fraction, limits: SizeLimits, preferred: Iterable[Size], *, blur: bool
) -> TargetPicture | None:
    around = max(Fraction(shown.width) ** 2 / wanted, Fraction(shown.height) ** 2 * wanted)
    canvas = _legal(wanted, round(around), limits, preferred)
    if canvas is None:
        return None
    scaled = inner_size(canvas, shown.aspect, limits.side_multiple)
    return TargetPicture(crop=None, scaled=scaled, canvas=canvas, blur=blur)


def _legal(
    aspect: Fraction, area: int, limits: SizeLimits, preferred: Iterable[Size]
) -> Size | None:
    wanted = min(max(area, limits.min_area_px), limits.max_area_px)
    for size in preferred:
        same_shape = _is_near(size, aspect)
        near = abs(size.area / wanted - 1) <= _NEAR_PREFERRED
        if area > wanted and same_shape and near and limits.allow(size):
            return size
    return nearest_legal_size(aspect, wanted, limits)
