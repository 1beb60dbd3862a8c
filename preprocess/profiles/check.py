"""Contradictions inside a profile file: every one, each with the key it stands at. Pure.

A limit that is absent contradicts nothing; that it is absent is said once, by ``_missing``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from preprocess.geometry import Size, SizeLimits
from preprocess.intent import Role
from preprocess.profiles.document import (
    AcceptTable,
    BoundsTable,
    CountMax,
    CountSpan,
    CountValue,
    Document,
    ExactMax,
    ExactMin,
    ExactSpan,
    FrameSize,
    ModeTable,
    Names,
    ParameterTable,
    Switch,
    shown,
    statements,
)
from preprocess.profiles.lines import Path
from preprocess.profiles.model import Level

if TYPE_CHECKING:
    from pydantic import BaseModel

# The vendor's own table is up to 2 % off its nominal shapes (864x496 stands for 16:9); swapped or
# mistyped sides are off by far more.
_SHAPE_SLACK = Fraction(1, 20)
# 24 and 25 are 4 % apart: from half of that on, snapping could not tell them apart.
_MAX_RATE_SNAP = Fraction(1, 50)

_ROLES = {
    "video": {Role.EDIT_VIDEO, Role.EXTEND_VIDEO, Role.REFERENCE_VIDEO},
    "image": {Role.FIRST_FRAME, Role.REFERENCE_IMAGE},
    "image_end": {Role.LAST_FRAME},
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a profile file."""

    path: Path
    message: str


Problems = Iterator[Problem]


def contradictions(document: Document) -> list[Problem]:
    """Everything in *document* that contradicts something else or is missing."""
    parts = (
        _missing,
        _unknown_sources,
        _accept_levels,
        _narrowing,
        _target,
        _tolerances,
        _images,
        _sizes,
        _resolutions,
        _modes,
        _parameters,
    )
    return list(dict.fromkeys(problem for part in parts for problem in part(document)))


# --- completeness and sources ------------------------------------------------------------------


def _missing(document: Document) -> Problems:
    for key in ("name", "provider", "model", "sizes", "modes", "prices", "parameters"):
        if not getattr(document, key):
            yield Problem((key,), "is missing")
    tables: dict[Path, BaseModel] = {
        ("accept", "safe"): document.level(Level.SAFE),
        ("target",): document.target,
        ("tolerances",): document.tolerances,
        ("images",): document.images,
        **{("prices", key): table for key, table in document.prices.items()},
    }
    for path, table in tables.items():
        for field, value in table:
            if value is None or value == {}:
                yield Problem((*path, field), "is missing")
            elif isinstance(value, ExactSpan | CountSpan):
                ends = (end for end in ("min", "max") if getattr(value, end) is None)
                yield from (Problem((*path, field, end), "is missing") for end in ends)
    for level, own in document.accept.items():
        for field, value in own:
            if isinstance(value, ExactSpan | CountSpan) and value.min is value.max is None:
                yield Problem(("accept", level, field), "has neither min nor max")


def _unknown_sources(document: Document) -> Problems:
    for path, statement in statements(document):
        unknown = [key for key in statement.source if key not in document.sources]
        if unknown:
            message = f"[sources] has no {' or '.join(unknown)}"
            yield Problem((*path, "source"), message)


# --- limits of video ---------------------------------------------------------------------------

Where = Callable[[str], Path]
"""The path of a field that is in force, given its name."""


def _accept_levels(document: Document) -> Problems:
    for level in Level:
        table = document.level(level)

        def where(field: str, level: Level = level) -> Path:
            return ("accept", _set_at(document, level, field), field)

        yield from _bounds(table, where)
        if table.containers:
            yield from _audio_containers(table, set(table.containers.values), where)


def _audio_containers(table: AcceptTable, containers: set[str], where: Where) -> Problems:
    for name in sorted(containers - set(table.audio_codecs)):
        yield Problem(where("containers"), f"there is no audio_codecs.{name}")
    for name in sorted(set(table.audio_codecs) - containers):
        yield Problem((*where("audio_codecs"), name), f"{name} is not among the containers")


def _set_at(document: Document, level: Level, field: str) -> Level:
    """The last level up to *level* that sets *field*."""
    found = Level.SAFE
    for each in Level:
        if each in document.accept and getattr(document.accept[each], field):
            found = each
        if each is level:
            break
    return found


def _bounds(table: BoundsTable, where: Where) -> Problems:
    for field in ("area_px", "side_px", "aspect", "frame_rate"):
        yield from _crossed(getattr(table, field), where(field))
    shortest, longest = table.picture_duration_s, table.track_duration_s
    if shortest and longest and shortest.min > longest.max:
        message = f"min {shown(shortest.min)} is above the longest track, {shown(longest.max)}"
        yield Problem((*where("picture_duration_s"), "min"), message)
    multiple = table.side_multiple.value if table.side_multiple else 1
    yield from _no_size(table.side_px, table.aspect, table.area_px, multiple, where)


def _crossed(span: ExactSpan | CountSpan | None, path: Path) -> Problems:
    if span and span.min is not None and span.max is not None and span.min > span.max:
        message = f"min {shown(span.min)} is above max {shown(span.max)}"
        yield Problem((*path, "min"), message)


def _no_size(
    side: CountSpan | None,
    aspect: ExactSpan | None,
    area: CountSpan | CountMax | None,
    multiple: int,
    where: Where,
) -> Problems:
    """Whether no size at all can satisfy the limits together."""
    if not (side and side.min and side.max and side.min <= side.max):
        return
    low, high = -(-side.min // multiple) * multiple, side.max // multiple * multiple
    if low > high:
        message = f"no multiple of {multiple} lies in side_px, {side.min} to {side.max}"
        yield Problem(where("side_multiple"), message)
        return
    if not (area and aspect and aspect.min and aspect.max and aspect.min <= aspect.max):
        return
    # The shape nearest to a square has both the smallest and the largest area.
    squarest = min(max(Fraction(1), aspect.min), aspect.max)
    stretch = max(squarest, 1 / squarest)
    if low * stretch > high:
        yield Problem(where("aspect"), f"no sides from {low} to {high} have such a shape")
    elif area.max and low * low * stretch > area.max:
        message = f"max {area.max} is below the smallest size, about {int(low * low * stretch)}"
        yield Problem((*where("area_px"), "max"), message)
    elif isinstance(area, CountSpan) and area.min and high * high / stretch < area.min:
        message = f"min {area.min} is above the largest size, about {int(high * high / stretch)}"
        yield Problem((*where("area_px"), "min"), message)


# --- levels widen, the target is inside --------------------------------------------------------


def _narrowing(document: Document) -> Problems:
    for before, level in pairwise(Level):
        wide, own = document.level(before), document.accept.get(level, AcceptTable())
        for field, value in own:
            old = getattr(wide, field)
            pairs: list[tuple[Path, object, object]] = [((field,), old, value)]
            if isinstance(value, dict):
                pairs = [((field, key), old.get(key), new) for key, new in value.items()]
            for path, inner, outer in pairs:
                for end, message in _not_within(inner, outer):
                    narrower = f"narrower than {before}: {message}"
                    yield Problem(("accept", level, *path, *end), narrower)


def _not_within(inner: object, outer: object) -> Iterator[tuple[Path, str]]:
    """How *outer* excludes something that *inner* allows: the bound, and what to say."""
    match inner, outer:
        case Names(), Names():
            lost = [name for name in inner.values if name not in outer.values]
            if lost:
                yield (), f"{' and '.join(lost)} is missing"
        case Switch(), Switch() if inner.allowed and not outer.allowed:
            yield ("allowed",), "it was allowed"
        case CountValue(), CountValue() if inner.value % outer.value:
            yield ("value",), f"{inner.value} is no multiple of {outer.value}"
    yield from _ends_not_within(inner, outer)


def _ends_not_within(inner: object, outer: object) -> Iterator[tuple[Path, str]]:
    if isinstance(inner, ExactMin | ExactSpan | CountSpan):
        bound = getattr(outer, "min", None)
        if inner.min is not None and bound is not None and inner.min < bound:
            yield ("min",), f"min {shown(bound)} is above {shown(inner.min)}"
    if isinstance(inner, ExactMax | ExactSpan | CountSpan | CountMax):
        bound = getattr(outer, "max", None)
        if inner.max is not None and bound is not None and inner.max > bound:
            yield ("max",), f"max {shown(bound)} is under {shown(inner.max)}"


def _target(document: Document) -> Problems:
    target, safe = document.target, document.level(Level.SAFE)
    yield from _bounds(target, lambda field: ("target", field))
    for field in BoundsTable.model_fields:
        for end, message in _not_within(getattr(target, field), getattr(safe, field)):
            yield Problem(("target", field, *end), f"outside accept.safe: there, {message}")
    audio = safe.audio_codecs.get(target.container.value) if target.container else None
    for field, name, names in (
        ("container", target.container, safe.containers),
        ("video_codec", target.video_codec, safe.video_codecs),
        ("pixel_format", target.pixel_format, safe.pixel_formats),
        ("audio_codec", target.audio_codec, audio),
    ):
        if name and names and name.value not in names.values:
            message = f"outside accept.safe: {name.value} is not among {' '.join(names.values)}"
            yield Problem(("target", field), message)


def _tolerances(document: Document) -> Problems:
    table = document.tolerances
    if table.constant_s and table.rewrite_s and table.constant_s.value > table.rewrite_s.value:
        message = f"{shown(table.constant_s.value)} is above rewrite_s"
        yield Problem(("tolerances", "constant_s"), message)
    if table.rate_snap and table.rate_snap.value >= _MAX_RATE_SNAP:
        message = f"{shown(table.rate_snap.value)} would let 24 and 25 snap to each other"
        yield Problem(("tolerances", "rate_snap"), message)
    longest = document.target.track_duration_s
    for field in ("cut_tolerance_s", "tail_tolerance_s"):
        given_up = getattr(table, field)
        if given_up and longest and given_up.value >= longest.max:
            message = f"{shown(given_up.value)} gives up the whole clip"
            yield Problem(("tolerances", field), message)


# --- images and frame sizes --------------------------------------------------------------------


def _images(document: Document) -> Problems:
    images = document.images
    yield from _crossed(images.side_px, ("images", "side_px"))
    yield from _crossed(images.aspect, ("images", "aspect"))
    yield from _no_size(
        images.side_px, images.aspect, images.area_px, 1, lambda field: ("images", field)
    )
    for _, message in _not_within(images.target_formats, images.formats):
        yield Problem(("images", "target_formats"), f"outside formats: there, {message}")
    for end, message in _not_within(images.target_size_bytes, images.size_bytes):
        path = ("images", "target_size_bytes", *end)
        yield Problem(path, f"outside size_bytes: there, {message}")


def _sizes(document: Document) -> Problems:
    legal = {"target": _video_sizes(document), "images": _image_sizes(document)}
    for resolution, table in document.sizes.items():
        for ratio, entry in table.items():
            path = ("sizes", resolution, ratio)
            yield from _wrong_shape(ratio, entry, path)
            size = Size(entry.width_px, entry.height_px)
            for name, limits in legal.items():
                if limits and not limits.allow(size):
                    message = f"{size} ({size.area} px) is outside the limits of [{name}]"
                    yield Problem(path, message)


def _wrong_shape(ratio: str, entry: FrameSize, path: Path) -> Problems:
    match = re.fullmatch(r"([1-9]\d{0,3}):([1-9]\d{0,3})", ratio)
    if match is None:
        yield Problem(path, "a ratio is written W:H, for example 16:9")
        return
    shape = Fraction(entry.width_px, entry.height_px) / Fraction(int(match[1]), int(match[2]))
    if abs(shape - 1) > _SHAPE_SLACK:
        yield Problem(path, f"{entry.width_px}x{entry.height_px} is not of that shape")


def _video_sizes(document: Document) -> SizeLimits | None:
    target = document.target
    if not (target.area_px and target.area_px.min and target.area_px.max and target.side_multiple):
        return None
    area = (target.area_px.min, target.area_px.max)
    return _size_limits(target.side_px, target.aspect, area, target.side_multiple.value)


def _image_sizes(document: Document) -> SizeLimits | None:
    images = document.images
    if not images.area_px:
        return None
    return _size_limits(images.side_px, images.aspect, (1, images.area_px.max), 1)


def _size_limits(
    side: CountSpan | None, aspect: ExactSpan | None, area: tuple[int, int], multiple: int
) -> SizeLimits | None:
    if not (side and aspect and side.min and side.max and aspect.min and aspect.max):
        return None
    if side.min > side.max // multiple * multiple or aspect.min > aspect.max or area[0] > area[1]:
        return None  # said already; no size could be inside
    return SizeLimits(
        min_area_px=area[0],
        max_area_px=area[1],
        min_side_px=side.min,
        max_side_px=side.max,
        side_multiple=multiple,
        min_aspect=aspect.min,
        max_aspect=aspect.max,
    )


# --- the request -------------------------------------------------------------------------------


def _allowed(document: Document, parameter: str) -> set[str] | None:
    entry = document.parameters.get(parameter)
    return set(entry.allowed) if entry and entry.allowed else None


def _resolutions(document: Document) -> Problems:
    """Sizes, prices and parameters speak of the same resolutions and ratios."""
    resolutions = _allowed(document, "resolution")
    tables = (("sizes", document.sizes), ("prices", document.prices))
    for key, table in tables:
        yield from _same_names(resolutions, set(table), "resolution", (key,))
    ratios = _allowed(document, "aspect_ratio")
    for resolution, sizes in document.sizes.items():
        path = ("sizes", resolution)
        yield from _same_names(ratios and ratios - {"adaptive"}, set(sizes), "aspect_ratio", path)


def _same_names(allowed: set[str] | None, used: set[str], parameter: str, path: Path) -> Problems:
    if allowed is None or not used:
        return
    for name in sorted(used - allowed):
        yield Problem((*path, name), f"parameters.{parameter} does not allow {name}")
    for name in sorted(allowed - used):
        yield Problem(path, f"has no {name}, which parameters.{parameter} allows")


def _modes(document: Document) -> Problems:
    modes = _allowed(document, "mode")
    yield from _same_names(modes and modes - {"auto"}, set(document.modes), "mode", ("modes",))
    for name, mode in document.modes.items():
        path = ("modes", name)
        yield from _mode(mode, path)
        for field in sorted(set(mode.media) - set(document.parameters)):
            yield Problem((*path, "media", field), f"there is no parameters.{field}")


def _mode(mode: ModeTable, path: Path) -> Problems:
    for field, media in mode.media.items():
        if media.role not in _ROLES[field]:
            message = f"{field} cannot be a {media.role}"
            yield Problem((*path, "media", field, "role"), message)
    alternatives = [field for field, media in mode.media.items() if media.use == "alternative"]
    if len(alternatives) == 1:
        message = "a lone alternative is required"
        yield Problem((*path, "media", alternatives[0], "use"), message)
    if "video" in mode.media and mode.window is None:
        yield Problem((*path, "window"), "is missing: this mode takes a clip")
    if "video" not in mode.media and mode.window is not None:
        yield Problem((*path, "window"), "this mode takes no clip")


_DEFAULT_TYPES = {"string": str, "enum": str, "url": str, "boolean": bool, "integer": int}


def _parameters(document: Document) -> Problems:
    for name, entry in document.parameters.items():
        path = ("parameters", name)
        yield from _parameter(entry, path)
        switch = document.parameters.get(entry.only_with or name)
        if entry.only_with and (switch is None or switch.type != "boolean"):
            message = f"{entry.only_with} is no boolean parameter"
            yield Problem((*path, "only_with"), message)


def _parameter(entry: ParameterTable, path: Path) -> Problems:
    if (entry.type == "enum") != (entry.allowed is not None):
        yield Problem((*path, "allowed"), "an enum has allowed values, and nothing else has")
    if entry.type != "integer" and entry.min is not None:
        yield Problem((*path, "min"), "only an integer has min")
    if entry.type not in {"integer", "string"} and entry.max is not None:
        yield Problem((*path, "max"), "only an integer or a string has max")
    low, high = entry.min, entry.max
    if low is not None and high is not None and low > high:
        yield Problem((*path, "min"), f"min {low} is above max {high}")
    if entry.default is not None:
        yield from _default(entry, path)


def _default(entry: ParameterTable, path: Path) -> Problems:
    path, default = (*path, "default"), entry.default
    if entry.required:
        yield Problem(path, "what is required has no default")
    if type(default) is not _DEFAULT_TYPES[entry.type]:
        yield Problem(path, f"{default!r} is not of type {entry.type}")
    elif entry.allowed and default not in entry.allowed:
        yield Problem(path, f"{default} is not among {' '.join(entry.allowed)}")
    elif isinstance(default, int) and not isinstance(default, bool):
        low, high = entry.min, entry.max
        if (low is not None and default < low) or (high is not None and default > high):
            yield Problem(path, f"{default} is outside {low} to {high}")
