"""What the ledger is asked. Prints nothing, and needs no network."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import ErrorCode, LedgerError
from pipeline.ledger import Entry, Event, Ledger, State, Total
from pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_MANY = 4
"""Keys that are named, where more than one is meant."""


@contextmanager
def opened() -> Iterator[Ledger]:
    """The ledger, for the length of the context.

    Raises:
        SettingsInvalid, LedgerError: it cannot be used.
    """
    ledger = Ledger(Settings.from_environment().home)
    try:
        yield ledger
    finally:
        ledger.close()


def full_key(ledger: Ledger, beginning: str) -> str:
    """The key that is *beginning*, or the only one that begins so.

    Raises:
        LedgerError: there is none, or more than one.
    """
    if ledger.find(beginning) is not None:
        return beginning
    found = [entry.key for entry in ledger.entries() if entry.key.startswith(beginning)]
    if not found:
        ledger.get(beginning)  # says so
    if len(found) > 1:
        some = ", ".join(found[:_MANY]) + (" …" if len(found) > _MANY else "")
        msg = f"{len(found)} keys begin with {beginning}: {some}; give more of the one you mean"
        raise LedgerError(ErrorCode.LEDGER_NO_JOB, msg)
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All jobs, and what they may have cost."""

    entries: list[Entry]
    totals: dict[State, Total]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One job, step by step."""

    entry: Entry
    history: list[Event]


def everything() -> Listing:
    """All jobs, the oldest first; of those that are forgotten the totals alone."""
    with opened() as ledger:
        return Listing(entries=ledger.entries(), totals=ledger.totals())


def story(key: str) -> Story:
    """One job, and its steps."""
    with opened() as ledger:
        entry = ledger.get(full_key(ledger, key))
        return Story(entry=entry, history=ledger.history(entry))


def forget(key: str) -> Story:
    """Free the key of a job; the job as it was before."""
    with opened() as ledger:
        entry = ledger.get(full_key(ledger, key))
        ledger.forget(entry.key)
        return Story(entry=entry, history=ledger.history(entry))
