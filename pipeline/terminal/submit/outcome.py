"""How what the provider's commands do can end, and what a person does next. Pure."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.errors import (
    CostTooHigh,
    ErrorCode,
    Expired,
    InvalidMedia,
    Moderated,
    PipelineError,
    ProviderRefused,
    RequestRejected,
    SourceError,
    UnknownOutcome,
)
from pipeline.ledger import State
from pipeline.redaction import redacted
from pipeline.terminal.work import INTERNAL, Exit
from preprocess import PreparationFailed, Reason

if TYPE_CHECKING:
    from pipeline.ledger import Entry


class Status(StrEnum):
    """What came of a call."""

    DRAFTED = "drafted"
    """Nothing was sent, nor meant to be."""
    SUBMITTED = "submitted"
    """The job is accepted, and was not waited for."""
    DONE = "done"
    """The clip is here; of other commands: it was done."""
    REJECTED = "rejected"
    """For what was asked or given: by us before it was sent, or by the provider."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Sent, and nobody knows what became of it."""


EXITS = {
    Status.DRAFTED: Exit.READY,
    Status.SUBMITTED: Exit.READY,
    Status.DONE: Exit.READY,
    Status.REJECTED: Exit.REJECTED,
    Status.FAILED: Exit.FAILED,
    Status.UNKNOWN: Exit.UNKNOWN,
}
_REJECTED = (RequestRejected, CostTooHigh, SourceError, Moderated, InvalidMedia, ProviderRefused)
_UNKNOWN = (UnknownOutcome, Expired)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why it ended otherwise than well, as it is told."""

    status: Status
    code: str
    message: str
    detail: str | None = None
    reasons: tuple[Reason, ...] = ()
    """Every objection, where the request was refused here."""
    rule: str | None = None
    """Of ours, that should have caught what the provider refused."""
    raw_code: str | None = None
    raw_message: str | None = None
    http_status: int | None = None


def trouble_of(error: Exception) -> Trouble:
    """*error* as it is told."""
    match error:
        case PipelineError():
            return Trouble(
                status=_status(error),
                code=error.code.value,
                message=error.message,
                detail=error.detail,
                reasons=error.reasons if isinstance(error, RequestRejected) else (),
                rule=error.rule if isinstance(error, InvalidMedia) else None,
                raw_code=error.raw_code,
                raw_message=error.raw_message,
                http_status=error.status,
            )
        case PreparationFailed():
            return Trouble(
                status=Status.FAILED,
                code=error.code.value,
                message=error.message,
                detail=error.detail,
            )
        case _:
            stack = "".join(traceback.format_exception(error))
            return Trouble(
                status=Status.FAILED,
                code=INTERNAL,
                message=redacted(f"{type(error).__name__}: {error}"),
                detail=redacted(stack),
            )


def _status(error: PipelineError) -> Status:
    if isinstance(error, _UNKNOWN):
        return Status.UNKNOWN
    ours = error.code is ErrorCode.SOURCE_NOT_WRITTEN
    return Status.REJECTED if isinstance(error, _REJECTED) and not ours else Status.FAILED


_SHOWN_CHARACTERS = 16
"""Of a key that is a digest; a beginning is enough for every command."""


def shown_key(entry: Entry) -> str:
    """The key as people are shown it."""
    return entry.key[:_SHOWN_CHARACTERS] if entry.key == entry.fingerprint else entry.key


def next_step(entry: Entry) -> str | None:
    """What to do about a job in its state; ``None``: nothing is left to do."""
    key = shown_key(entry)
    if entry.may_be_sent:
        return "no job was made of it, nothing was billed: submit it again"
    match entry.state:
        case State.ACCEPTED | State.DONE:
            return f"it goes on at the provider, and is paid for: clipready jobs resume {key}"
        case State.SENT | State.UNKNOWN:
            return (
                "it may have been billed. If the provider's list of jobs has it, "
                f"clipready jobs resume {key} --job-id ID; "
                f"if not, clipready jobs forget {key}, and submit it again"
            )
        case State.FAILED:
            return f"to send the same again: clipready jobs forget {key}, and submit it again"
        case _:
            return None


def left_text(entry: Entry) -> str:
    """What is said of a job that a call was stopped at."""
    return f"the job {shown_key(entry)} is {entry.state.value}; {next_step(entry) or 'it is over'}"
