"""Rules about still images, in order. Pure; one function a decision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.facts import Dynamic, Facts, StillImage
from preprocess.geometry import Orientation, Size
from preprocess.intent import Fit, Intent, Limits
from preprocess.plan import Reason, Route
from preprocess.profiles.model import ImageLimits
from preprocess.rules.finding import Change, Finding, Obstacle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from preprocess.profiles.model import Profile

MAX_PIXELS = 100_000_000
"""What is decoded at most; a frame of it fills 300 MB."""
MAX_SCALED_PIXELS = 4 * MAX_PIXELS
"""Where the decoder can halve both sides; phones take 108 and 200 megapixels."""
_CODINGS = {None, "baseline", "extended", "progressive"}
"""Those of JPEG that every decoder reads."""
_MAX_BITS = 16
"""Of 32 bits and floating point nobody says what is white."""
STRIPPABLE = frozenset({"jpeg", "png"})
"""Formats whose metadata we take out without touching the pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """An image, what is allowed, and what is wanted."""

    facts: Facts
    image: StillImage
    limits: ImageLimits
    intent: Intent
    frame: Size | None
    """The exact size a frame has to have; ``None`` for a reference."""
    ratio: str
    """Nominal ratio of ``frame``."""

    @property
    def fit(self) -> Fit:
        """The fit after defaults: frames fill, references stay whole."""
        return self.intent.fit_of_image


def frame_for(image: StillImage, profile: Profile, intent: Intent) -> tuple[str, Size] | None:
    """The nominal ratio and the size of a frame; ``None`` if the ratio asked for has no size.

    ``adaptive`` takes the nearest ratio.
    """
    sizes = profile.sizes[intent.resolution.value]
    if intent.wanted_aspect is None:
        name = nearest_ratio(image.displayed.aspect, sizes)
        return name, sizes[name]
    return next(((name, size) for name, size in sizes.items() if name == intent.ratio), None)


def nearest_ratio(aspect: Fraction, sizes: Mapping[str, Size]) -> str:
    """The nominal ratio whose size is nearest in shape, by the distance of logarithms.

    So twice as wide is as far as half as wide. Of two that are equally near the one that comes
    first in the profile.
    """
    shape = math.log(aspect)
    return min(sizes, key=lambda ratio: abs(math.log(sizes[ratio].aspect) - shape))


def pixels(still: Still) -> Iterable[Finding]:
    """It can be decoded with what memory there is."""
    stored = still.image.stored
    most = MAX_SCALED_PIXELS if still.image.scalable else MAX_PIXELS
    if stored.area > most:
        yield Obstacle(
            Reason(
                rule="image.pixels",
                measured=f"{stored}, {stored.area / 1e6:.0f} megapixels",
                limit=f"<= {most / 1e6:.0f} megapixels",
                value=stored.area,
                limit_value=most,
                unit="px",
                fix="export a smaller image",
            )
        )


def orientation(still: Still) -> Iterable[Finding]:
    """Stored upright."""
    turn = still.image.orientation
    if turn is not Orientation.NORMAL:
        yield _encode("image.orientation", turn.value.replace("_", " "), "none", "turned upright")


def size(still: Still) -> Iterable[Finding]:
    """A frame has the very size of the clip, a reference one inside the limits."""
    found, limits = still.image.displayed, still.limits
    if still.frame is not None:
        if found != still.frame:
            how = [_fitted(still)] if not _same_shape(found, still.frame) else []
            yield _encode(
                "image.size",
                str(found),
                f"{still.frame}, {still.ratio} at {still.intent.resolution.value}",
                " and ".join(how + _scaled(found, still.frame, still.fit)),
            )
        return
    low, high = limits.min_aspect, limits.max_aspect
    wanted = still.intent.wanted_aspect
    if wanted is not None and not low <= wanted <= high:
        yield Obstacle(
            Reason(
                rule="image.ratio",
                measured=f"{still.intent.ratio} was asked for",
                limit=f"{float(low):g} to {float(high):g}, width over height",
                value=round(float(wanted), 4),
                unit="width/height",
                fix="ask for a ratio inside the limits",
            )
        )
    elif wanted is not None and not _is_near(found, float(wanted)):
        yield _encode(
            "image.ratio", f"{found}, {float(found.aspect):.3f}", still.intent.ratio, _fitted(still)
        )
    elif not low <= found.aspect <= high:
        allowed = f"{float(low):g} to {float(high):g}"
        measured = f"{found}, {float(found.aspect):.3f}"
        yield _encode("image.aspect", measured, allowed, _fitted(still))
    if found.area > limits.max_area_px:
        allowed = f"<= {limits.max_area_px / 1e6:g} megapixels"
        yield _encode("image.area", f"{found.area / 1e6:.1f} megapixels", allowed, "scaled down")
    short, long = sorted((found.width, found.height))
    if short < limits.min_side_px:
        yield _encode("image.sides", str(found), f">= {limits.min_side_px} px", "scaled up")
    elif long > limits.max_side_px:
        yield _encode("image.sides", str(found), f"<= {limits.max_side_px} px", "scaled down")


def dynamic_range(still: Still) -> Iterable[Finding]:
    """Standard range; anything else would come out washed out."""
    image = still.image
    if image.dynamic is not Dynamic.SDR:
        measured = f"HDR ({image.dynamic.value.upper()})"
        yield _encode("image.dynamic_range", measured, "SDR", "tone-mapped to SDR")


def colour(still: Still) -> Iterable[Finding]:
    """8-bit sRGB without transparency."""
    image = still.image
    if image.profile_broken:
        yield _encode("image.profile", image.profile_name or "", "sRGB", "ignored: taken as sRGB")
    elif not image.srgb and image.dynamic is Dynamic.SDR:
        yield _encode("image.profile", _colours(image), "sRGB", "converted")
    if image.bit_depth > _MAX_BITS:
        measured = f"{image.mode}, {image.bit_depth} bits"
        yield _refused("image.mode", measured, "at most 16 bits", "export it with 8 or 16 bits")
    elif image.mode not in ("RGB", "L", "RGBA", "LA") or image.bit_depth != 8:  # noqa: PLR2004 - bits
        measured = f"{image.mode}, {image.bit_depth} bits"
        yield _encode("image.mode", measured, "RGB or grey, 8 bits", "converted")
    if image.alpha:
        yield _encode("image.alpha", "transparency", "none", "laid on white")


def _colours(image: StillImage) -> str:
    if image.profile_name is not None:
        return image.profile_name
    stated = [name for name in (image.primaries, image.transfer) if name is not None]
    return f"{', '.join(stated) or image.mode} without a profile"


def still_only(still: Still) -> Iterable[Finding]:
    """One picture."""
    if still.image.animated:
        yield _encode("image.animated", "several frames", "one", "the first one taken")


def coding(still: Still) -> Iterable[Finding]:
    """A format that is taken, to its end."""
    container = still.facts.container or ""
    if still.image.coding not in _CODINGS:
        measured = f"{still.image.coding} JPEG"
        yield _encode("image.coding", measured, "baseline or progressive", "encoded as JPEG")
    if still.image.unended:
        reason = Reason(
            rule="image.end",
            measured="a JPEG without its end marker",
            limit="a complete file",
            fix="the marker put behind it",
        )
        yield Change(reason, Route.REWRAP)
    accepted = formats(still)
    if container not in accepted:
        fix = "encoded as PNG" if container == "png" else "encoded as JPEG"
        yield _encode("image.format", still.facts.description, " or ".join(sorted(accepted)), fix)


def formats(still: Still) -> frozenset[str]:
    """What is left as it is."""
    safe = still.intent.limits is Limits.SAFE
    return still.limits.target_formats if safe else still.limits.formats


def private(still: Still) -> Iterable[Finding]:
    """Nothing that tells of a person, a place or a device."""
    names = still.facts.private_metadata
    if names and still.intent.limits is not Limits.TRUSTED:
        strips = still.facts.container in STRIPPABLE
        yield Change(
            Reason(
                rule="image.private_metadata",
                measured=", ".join(names),
                limit="none",
                fix="removed" if strips else "left behind",
            ),
            Route.REWRAP if strips else Route.ENCODE,
        )


def max_bytes(still: Still) -> int:
    """Bytes of a file that is left as it is."""
    safe = still.intent.limits is Limits.SAFE
    return still.limits.target_max_bytes if safe else still.limits.max_bytes


def file_size(still: Still) -> Iterable[Finding]:
    """Not too many bytes."""
    count, most = still.facts.size_bytes, max_bytes(still)
    if count > most:
        yield Change(
            Reason(
                rule="image.file_size",
                measured=f"{count / 1e6:.1f} MB",
                limit=f"<= {most / 1e6:g} MB",
                value=count,
                limit_value=most,
                unit="bytes",
                fix="encoded smaller",
            ),
            Route.ENCODE,
        )


RULES: tuple[Callable[[Still], Iterable[Finding]], ...] = (
    pixels,
    orientation,
    size,
    dynamic_range,
    colour,
    still_only,
    coding,
    private,
    file_size,
)


def _refused(rule: str, measured: str, limit: str, fix: str) -> Obstacle:
    return Obstacle(Reason(rule=rule, measured=measured, limit=limit, fix=fix))


def _encode(rule: str, measured: str, limit: str, fix: str) -> Change:
    return Change(Reason(rule=rule, measured=measured, limit=limit, fix=fix), Route.ENCODE)


def _fitted(still: Still) -> str:
    return {Fit.CROP: "cropped", Fit.PAD: "padded with black", Fit.BLUR: "padded, blurred"}[
        still.fit
    ]


def _scaled(found: Size, frame: Size, fit: Fit) -> list[str]:
    """What fitting makes of the picture's own scale: a word, or none."""
    sides = Fraction(frame.width, found.width), Fraction(frame.height, found.height)
    scale = max(sides) if fit is Fit.CROP else min(sides)
    if scale == 1:
        return []
    return ["scaled up" if scale > 1 else "scaled down"]


def _same_shape(one: Size, other: Size) -> bool:
    return _is_near(one, float(other.aspect))


def _is_near(found: Size, aspect: float) -> bool:
    """Whether less than half a pixel would be cropped off the longer side."""
    return abs(float(found.aspect) / aspect - 1) * max(found.width, found.height) <= 1
