"""What a request would become, while nothing is prepared, stored or sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.ledger import Entry
from pipeline.price import Quote
from pipeline.stores.content import media_type
from preprocess import Plan, endings

if TYPE_CHECKING:
    from pipeline.assemble import Planned

_NO_STORE = "{CLIPREADY_STORE}"
_DIGEST = "{sha256}"
_CONTENT = "{content}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What would be posted, and what it would cost."""

    key: str
    """Of the job that it would be."""
    body: Mapping[str, bool | int | str]
    """As it would be posted; only the URLs of media that are not stored yet are the places where
    they would be, with names in braces for what is known once they are prepared."""
    quote: Quote
    plans: Mapping[str, Plan]
    """What would be done to each medium that is prepared, by field."""
    missing: tuple[PipelineError, ...]
    """What `Client.submit` would fail for at once: no key of the account, no store."""
    sent_before: Entry | None
    """The job that the key stands for; there would be no other."""


def expected_urls(planned: Planned, store: str | None) -> dict[str, str]:
    """Where the media of a request would be fetched from, by field."""
    return {
        **planned.passed_on,
        **{name: _place(store, plan.expected.container) for name, plan in planned.plans.items()},
    }


def _place(store: str | None, container: str) -> str:
    """Where a prepared file would be in *store*."""
    place = (store or _NO_STORE).strip().rstrip("/")
    if place == "data:":
        return f"data:{media_type(container)};base64,{_CONTENT}"
    name = f"{_DIGEST}.{endings(container)[0]}"
    return place + name if place.endswith(":") else f"{place}/{name}"
