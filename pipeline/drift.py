"""Where the provider's own description of a model and our profile of it differ.

What the arrays of ``GET /v1/models/{id}`` hold exactly is not documented (2026), so it is read
leniently: a difference is told where both sides say something, or one has what the other lacks.
Nothing is changed by this; a profile's numbers have sources, and people decide about them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.errors import ApiUnreadable, ErrorCode
from pipeline.redaction import foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.client import Client
    from preprocess import ApiParameter, Profile

_NAMED_TYPES = {
    "bool": "boolean",
    "int": "integer",
    "str": "string",
    "text": "string",
    "uri": "url",
    "float": "number",
}
# A profile may be narrower on purpose: whole seconds where the page says "number", and a choice or
# an address where it says "string".
_WIDER = {("integer", "number"), ("enum", "string"), ("url", "string")}
_PRICE_KEYS = ("usd_per_second", "usd", "price_usd", "price", "unit_price", "amount")
_RESOLUTION = re.compile(r"\b\d{3,4}p\b", re.IGNORECASE)
_WITH_VIDEO = re.compile(
    r"video[\s_-]?input|with[\s_-]video|video[\s_-]to[\s_-]video", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OURS = frozenset({"model"})
"""Parameters that every model has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that the two do not agree on."""

    what: str
    """For example ``duration.max`` or ``price.720p.with_video``."""
    profile: str | None
    """What the profile says; ``None``: nothing."""
    provider: str | None
    """What the provider says; ``None``: nothing."""

    def sentence(self) -> str:
        """The difference for people."""
        ours, theirs = self.profile or "nothing", self.provider or "nothing"
        return f"{self.what}: the profile says {ours}, the provider {theirs}"


async def refresh(client: Client, profile: Profile) -> tuple[Difference, ...]:
    """Ask the provider about the model of *profile*, and compare. Nothing is changed.

    Raises:
        PipelineError: the provider cannot be asked, or says nothing about the model.
    """
    return compare(profile, await client.fetch_model(profile.model))


def compare(profile: Profile, data: object) -> tuple[Difference, ...]:
    """Every difference between *profile* and what ``GET /v1/models/{id}`` says, *data*.

    Raises:
        ApiUnreadable: *data* describes no parameters.
    """
    model = _model(data)
    parameters = dict(_named(model.get("supported_parameters")))
    if not parameters:
        msg = f"the provider describes no parameters of {profile.model}; nothing can be compared"
        raise ApiUnreadable(ErrorCode.API_UNREADABLE, msg, raw_message=foreign(str(data)))
    return (
        *_presence(profile, parameters),
        *(
            difference
            for name, ours in profile.parameters.items()
            if name in parameters
            for difference in _parameter(name, ours, parameters[name])
        ),
        *_prices(profile, model.get("pricing_rows")),
    )


def _model(data: object) -> Mapping[str, object]:
    if isinstance(data, dict):
        inner = data.get("data")
        return inner if isinstance(inner, dict) else data
    return {}


def _named(rows: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Rows by their names, from a list of objects or from an object of objects."""
    if isinstance(rows, dict):
        rows = [
            {**(row if isinstance(row, dict) else {}), "name": name} for name, row in rows.items()
        ]
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, str):
            yield row, {}
        elif isinstance(row, dict) and isinstance(row.get("name"), str):
            yield row["name"], row


def _presence(profile: Profile, theirs: Mapping[str, object]) -> Iterator[Difference]:
    for name in profile.parameters:
        if name not in theirs:
            yield Difference(what=name, profile="a parameter", provider=None)
    for name in theirs:
        if name not in profile.parameters and name not in _OURS:
            yield Difference(what=foreign(name), profile=None, provider="a parameter")


def _parameter(name: str, ours: ApiParameter, theirs: Mapping[str, object]) -> Iterator[Difference]:
    kind = theirs.get("type")
    if isinstance(kind, str):
        kind = _NAMED_TYPES.get(kind.lower(), kind.lower())
        if kind != ours.type and (ours.type, kind) not in _WIDER:
            yield _difference(f"{name}.type", ours.type, kind)
    bounds = theirs.get("range")
    low, high = bounds if isinstance(bounds, list) and len(bounds) == 2 else (None, None)  # noqa: PLR2004 - a pair
    said = {
        "default": theirs.get("default"),
        "required": theirs.get("required"),
        "min": _first(theirs, ("min", "minimum"), low),
        "max": _first(theirs, ("max", "maximum"), high),
    }
    for field, value in said.items():
        mine = getattr(ours, field)
        if value is not None and value != mine:
            yield _difference(f"{name}.{field}", mine, value)
    allowed = _first(theirs, ("allowed", "enum", "options", "values"), None)
    if isinstance(allowed, list) and {str(each) for each in allowed} != set(ours.allowed):
        yield _difference(f"{name}.allowed", ", ".join(ours.allowed), ", ".join(map(str, allowed)))


def _first(row: Mapping[str, object], names: tuple[str, ...], otherwise: object) -> object:
    return next((row[name] for name in names if row.get(name) is not None), otherwise)


def _difference(what: str, ours: object, theirs: object) -> Difference:
    told = foreign(str(theirs)) if theirs is not None else None
    return Difference(what=what, profile=None if ours is None else str(ours), provider=told)


def _prices(profile: Profile, rows: object) -> Iterator[Difference]:
    """Rows that name a resolution and a price; whether with a clip, by what the row says."""
    found: dict[tuple[str, bool], Fraction] = {}
    for row in rows if isinstance(rows, list) else ():
        price = _price(row) if isinstance(row, dict) else None
        resolution = _RESOLUTION.search(str(row))
        if price is not None and resolution is not None:
            found[resolution[0].lower(), _is_with_video(row)] = price
    ours = {
        (resolution, with_video): rates.of(with_video=with_video)
        for resolution, rates in profile.rates.items()
        for with_video in (False, True)
    }
    for key in sorted({*ours, *found}):
        mine, theirs = ours.get(key), found.get(key)
        if mine != theirs and found:
            kind = "with_video" if key[1] else "without_video"
            yield _difference(f"price.{key[0]}.{kind}", _usd(mine), _usd(theirs))


def _price(row: Mapping[str, object]) -> Fraction | None:
    value = _first(row, _PRICE_KEYS, None)
    number = _NUMBER.search(str(value)) if value is not None else None
    return Fraction(number[0]) if number else None


def _is_with_video(row: Mapping[str, object]) -> bool:
    flag = _first(row, ("video_input", "with_video", "has_video"), None)
    return flag if isinstance(flag, bool) else _WITH_VIDEO.search(str(row)) is not None


def _usd(amount: Fraction | None) -> str | None:
    return None if amount is None else f"${float(amount):g} a second"
