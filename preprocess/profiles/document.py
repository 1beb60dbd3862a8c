"""The shape of a profile file, each limit with source and date, and what it amounts to. Pure.

Every limit may be absent here: a level states only what it changes, and a limit that is missing
or malformed must not keep the others from being looked at. ``check.py`` says what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
)

from preprocess.intent import Role
from preprocess.profiles.model import Level, MediaUse, ParameterType, WindowEnd

if TYPE_CHECKING:
    from preprocess.profiles.lines import Path

# --- the smallest parts ------------------------------------------------------------------------

_EXACT = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?(?:/\d{1,18})?")
_DATE = re.compile(r"20\d\d(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?")


def _exact(value: object) -> Fraction:
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int | str) and not isinstance(value, bool):
        number, _, divisor = str(value).partition("/")
        if _EXACT.fullmatch(str(value)) and int(divisor or 1):
            return Fraction(number) / int(divisor or 1)
    msg = f"{value!r} is not an exact number: write 2.5, or a fraction in quotes, '24000/1001'"
    raise ValueError(msg)


def _positive(value: Fraction) -> Fraction:
    if value <= 0:
        msg = f"{shown(value)} is not above 0"
        raise ValueError(msg)
    return value


def _not_negative(value: Fraction) -> Fraction:
    if value < 0:
        msg = f"{shown(value)} is below 0"
        raise ValueError(msg)
    return value


def _date(value: str) -> str:
    if not _DATE.fullmatch(value):
        msg = f"{value!r} is not a date: write '2026', '2026-09' or '2026-09-14'"
        raise ValueError(msg)
    return value


def _keys(value: object) -> object:
    return [value] if isinstance(value, str) else value


NotNegative = Annotated[Fraction, PlainValidator(_exact), AfterValidator(_not_negative)]
Exact = Annotated[Fraction, PlainValidator(_exact), AfterValidator(_positive)]
Count = Annotated[StrictInt, Field(gt=0, le=10**15)]
Word = Annotated[StrictStr, Field(min_length=1)]
Date = Annotated[StrictStr, AfterValidator(_date)]
Keys = Annotated[tuple[Word, ...], BeforeValidator(_keys), Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(_Table):
    """A statement, who makes it, and for when."""

    source: Keys
    date: Date

    def text(self) -> str:
        """What is stated, for people: ``min 300, max 6000``."""
        stated = {key: part for key, part in self if key not in Sourced.model_fields}
        return shown(stated)


def shown(value: object) -> str:
    """*value* for people: a fraction as a decimal where that is exact."""
    if isinstance(value, Fraction):
        decimal = f"{float(value):.10g}"
        return decimal if Fraction(decimal) == value else str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(map(shown, value))
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        parts = [(key, shown(part)) for key, part in value.items() if part is not None]
        return ", ".join(text if key in _UNSPOKEN else f"{key} {text}" for key, text in parts)
    return str(value) or "empty"


# Keys that say nothing beside what they hold.
_UNSPOKEN = frozenset({"value", "values", "use", "role"})


class ExactValue(Sourced):
    """A positive exact number."""

    value: Exact


class ExactMin(Sourced):
    """A lower bound."""

    min: Exact


class ExactMax(Sourced):
    """An upper bound."""

    max: Exact


class ExactSpan(Sourced):
    """Bounds, both in a whole table, either in a level that changes the one."""

    min: Exact | None = None
    max: Exact | None = None


class CountValue(Sourced):
    """A positive whole number."""

    value: Count


class CountMax(Sourced):
    """An upper bound of something counted."""

    max: Count


class CountSpan(Sourced):
    """Bounds of something counted; see :class:`ExactSpan`."""

    min: Count | None = None
    max: Count | None = None


class Counts(Sourced):
    """Some whole numbers."""

    values: Annotated[tuple[Count, ...], Field(min_length=1)]


class Name(Sourced):
    """One name."""

    value: Word


class Names(Sourced):
    """Some names."""

    values: Annotated[tuple[Word, ...], Field(min_length=1)]


class Switch(Sourced):
    """Whether something may be there."""

    allowed: StrictBool


# --- the tables of the file --------------------------------------------------------------------


class BoundsTable(_Table):
    """What ``[accept.*]`` and ``[target]`` share."""

    track_duration_s: ExactMax | None = None
    picture_duration_s: ExactMin | None = None
    area_px: CountSpan | None = None
    side_px: CountSpan | None = None
    side_multiple: CountValue | None = None
    aspect: ExactSpan | None = None
    frame_rate: ExactSpan | None = None
    size_bytes: CountMax | None = None


class AcceptTable(BoundsTable):
    """``[accept.safe]`` and the levels after it."""

    containers: Names | None = None
    video_codecs: Names | None = None
    pixel_formats: Names | None = None
    audio_codecs: dict[str, Names] = {}
    private_metadata: Switch | None = None


class TargetTable(BoundsTable):
    """``[target]``."""

    container: Name | None = None
    video_codec: Name | None = None
    pixel_format: Name | None = None
    audio_codec: Name | None = None
    audio_sample_rates_hz: Counts | None = None
    audio_channels: CountMax | None = None


class TolerancesTable(_Table):
    """``[tolerances]``."""

    cut_tolerance_s: ExactValue | None = None
    tail_tolerance_s: ExactValue | None = None
    rate_snap: ExactValue | None = None
    constant_s: ExactValue | None = None
    rewrite_s: ExactValue | None = None


class ImagesTable(_Table):
    """``[images]``."""

    formats: Names | None = None
    target_formats: Names | None = None
    area_px: CountMax | None = None
    side_px: CountSpan | None = None
    aspect: ExactSpan | None = None
    size_bytes: CountMax | None = None
    target_size_bytes: CountMax | None = None


class FrameSize(Sourced):
    """One entry of ``[sizes.<resolution>]``."""

    width_px: Count
    height_px: Count


class MediaTable(_Table):
    """One of a mode's media fields."""

    use: MediaUse
    role: Role
    proven: StrictBool = True


class ModeTable(Sourced):
    """``[modes.<mode>]``."""

    media: dict[Literal["image", "image_end", "video"], MediaTable]
    window: WindowEnd | None = None


class PriceRate(Sourced):
    """A price."""

    usd_per_s: NotNegative


class PriceTable(_Table):
    """``[prices.<resolution>]``."""

    without_video: PriceRate | None = None
    with_video: PriceRate | None = None


class ParameterTable(Sourced):
    """One entry of ``[parameters]``."""

    type: ParameterType
    required: StrictBool | None = None
    default: StrictBool | StrictInt | StrictStr | None = None
    allowed: Annotated[tuple[Word, ...], Field(min_length=1)] | None = None
    min: StrictInt | None = None
    max: StrictInt | None = None
    only_with: Word | None = None


class SourceTable(_Table):
    """One entry of ``[sources]``."""

    document: Word
    date: Date


class Document(_Table):
    """A whole profile file."""

    name: Word | None = None
    provider: Word | None = None
    model: Word | None = None
    sources: dict[str, SourceTable] = {}
    accept: dict[Level, AcceptTable] = {}
    target: TargetTable = TargetTable()
    tolerances: TolerancesTable = TolerancesTable()
    images: ImagesTable = ImagesTable()
    sizes: dict[str, dict[str, FrameSize]] = {}
    modes: dict[str, ModeTable] = {}
    prices: dict[str, PriceTable] = {}
    parameters: dict[str, ParameterTable] = {}

    def level(self, level: Level) -> AcceptTable:
        """The table in force at *level*: its own words over those of the levels before it."""
        merged = AcceptTable()
        for each in Level:
            merged = _over(merged, self.accept.get(each, AcceptTable()))
            if each is level:
                break
        return merged


def _over(base: AcceptTable, top: AcceptTable) -> AcceptTable:
    changes: dict[str, object] = {}
    for field, new in top:
        old = getattr(base, field)
        if isinstance(new, dict):
            changes[field] = {**old, **new}
        elif isinstance(new, ExactSpan | CountSpan) and old is not None:
            bounds = {end: getattr(new, end) or getattr(old, end) for end in ("min", "max")}
            changes[field] = new.model_copy(update=bounds)
        elif new is not None:
            changes[field] = new
    return base.model_copy(update=changes)


def statements(part: object, path: Path = ()) -> Iterator[tuple[Path, Sourced]]:
    """Every sourced statement in *part*, with its key path, in the order of the tables."""
    if isinstance(part, Sourced):
        yield path, part
    elif isinstance(part, BaseModel):
        for field, value in part:
            yield from statements(value, (*path, field))
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from statements(value, (*path, str(key)))
