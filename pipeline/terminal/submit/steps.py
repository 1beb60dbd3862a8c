"""From what happens to a submission to the lines in which it is told. Prints nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.answers import JobKind, JobState
from pipeline.assemble import AssetProgress
from pipeline.assemble import Step as AssetStep
from pipeline.price import Quote

if TYPE_CHECKING:
    from pipeline.ledger import Entry

_SHORTEST_S = 0.1
"""Between two lines about one step that goes on."""


class Step(StrEnum):
    """What is being done."""

    FETCH = "fetch"
    PROBE = "probe"
    PRICE = "price"
    PREPARE = "prepare"
    UPLOAD = "upload"
    SUBMIT = "submit"
    WAIT = "wait"
    DOWNLOAD = "download"


_STEPS = {
    AssetStep.FETCH: Step.FETCH,
    AssetStep.PLAN: Step.PROBE,
    AssetStep.PREPARE: Step.PREPARE,
    AssetStep.UPLOAD: Step.UPLOAD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How far one step has come."""

    step: Step
    field: str | None = None
    """Which medium, for the steps that each of them takes."""
    done: bool = False
    note: str = ""
    """The route, the price, the provider's number of the job, or its state."""
    fraction: float | None = None
    sent_bytes: int | None = None
    total_bytes: int | None = None
    key: str | None = None
    """Of the job, with ``submit``: known before anything is sent."""


@dataclass(slots=True)
class Steps:
    """Takes events in the order they happen, and tells lines.

    Of a step that is the first, the last, each with a new note, and not all between.
    """

    tell: Callable[[Line], None]
    clock: Callable[[], float] = time.monotonic
    _lines: dict[tuple[Step, str | None], Line] = field(default_factory=dict)
    _told_at: dict[tuple[Step, str | None], float] = field(default_factory=dict)

    def take(self, event: AssetProgress | Quote | Entry | JobState) -> None:
        """Tell what *event* means."""
        match event:
            case AssetProgress():
                self._asset(event)
            case Quote():
                self._say(Line(step=Step.PRICE, done=True, note=event.sentence()))
            case JobState():
                self._state(event)
            case _:
                self._entry(event)

    def finish(self) -> None:
        """The clip is here."""
        if (Step.DOWNLOAD, None) in self._lines:
            self._say(Line(step=Step.DOWNLOAD, done=True))

    def _asset(self, progress: AssetProgress) -> None:
        step = _STEPS[progress.step]
        before = self._lines.get((step, progress.field))
        note, fraction = before.note if before else "", None
        if step is Step.FETCH and progress.sent_bytes is None and before is None:
            return  # it was here
        if progress.preparing is not None and progress.preparing.route is not None:
            note, fraction = progress.preparing.route.label, progress.preparing.fraction
        self._say(
            Line(
                step=step,
                field=progress.field,
                done=progress.done,
                note=note,
                fraction=fraction,
                sent_bytes=_last(progress.sent_bytes, before.sent_bytes if before else None),
                total_bytes=_last(progress.total_bytes, before.total_bytes if before else None),
            )
        )

    def _entry(self, entry: Entry) -> None:
        if entry.may_be_sent:
            self._say(Line(step=Step.SUBMIT, key=entry.key))
            return
        again = "" if (Step.SUBMIT, None) in self._lines else "sent before; "
        note = f"{again}job {entry.job_id}" if entry.job_id else again.rstrip("; ")
        self._say(Line(step=Step.SUBMIT, done=True, note=note, key=entry.key))

    def _state(self, state: JobState) -> None:
        over = state.kind is not JobKind.PENDING
        fraction = None if over else state.progress
        self._say(Line(step=Step.WAIT, done=over, note=state.status, fraction=fraction))
        if state.kind is JobKind.SUCCEEDED:
            self._say(Line(step=Step.DOWNLOAD))

    def _say(self, line: Line) -> None:
        about, now = (line.step, line.field), self.clock()
        before = self._lines.get(about)
        self._lines[about] = line
        news = before is None or line.done or line.note != before.note
        if news or now - self._told_at[about] >= _SHORTEST_S:
            self._told_at[about] = now
            self.tell(line)


def _last(new: int | None, old: int | None) -> int | None:
    return old if new is None else new
