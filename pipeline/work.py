"""What the working commands do with each input, and what comes of it. Prints nothing."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess import (
    Facts,
    InputRejected,
    Plan,
    PreparationFailed,
    Problem,
    Progress,
    Reason,
    Rejection,
    Report,
    Route,
    Status,
    decide,
    endings,
    probe_file,
    process_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.request import Request, Task

INTERNAL = "internal"
"""Error code of an exception that nobody foresaw: a bug."""


class Exit(IntEnum):
    """Exit codes; besides, 2 is a usage error, and 128 and its number a signal."""

    READY = 0
    FAILED = 1
    REJECTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found out about one input without writing anything."""

    facts: Facts | None = None
    plan: Plan | None = None
    """``None`` after ``probe``, and where nothing can be done."""
    reasons: tuple[Reason, ...] = ()
    """Every rule that had something to say."""
    output: Path | None = None
    """Where the result of ``plan`` would stand."""
    status: Status | None = None
    """`Status.REJECTED` or `Status.FAILED` where there is no answer, or none that helps."""
    problem: Problem | None = None
    """Set with ``status``."""

    @property
    def accepted(self) -> bool:
        """Whether the provider would take the file as it is."""
        return self.plan is not None and self.plan.route is Route.KEEP


def look(task: Task, request: Request) -> Look:
    """Measure one input."""
    try:
        return Look(facts=probe_file(task.source, intent=request.intent, options=request.options))
    except InputRejected as rejected:
        return _rejected(rejected)
    except PreparationFailed as failed:
        problem = Problem(code=failed.code, message=failed.message, detail=failed.detail)
        return Look(status=Status.FAILED, problem=problem)
    except Exception as error:  # noqa: BLE001 - one file must not cost the others their answers
        return Look(status=Status.FAILED, problem=_surprise(error))


def consider(task: Task, request: Request) -> Look:
    """Measure one input and decide."""
    found = look(task, request)
    if found.facts is None:
        return found
    try:
        decision = decide(found.facts, request.profile, request.intent)
    except Exception as error:  # noqa: BLE001 - as in `look`
        return replace(found, status=Status.FAILED, problem=_surprise(error))
    if isinstance(decision, Rejection):
        return replace(_rejected(InputRejected(decision.reasons)), facts=found.facts)
    output = _output(task, decision)
    return replace(found, plan=decision, reasons=decision.reasons, output=output)


def _rejected(rejected: InputRejected) -> Look:
    problem = Problem(code=rejected.code, message=str(rejected))
    return Look(status=Status.REJECTED, problem=problem, reasons=rejected.reasons)


def _surprise(error: Exception) -> Problem:
    text = f"{type(error).__name__}: {error}"
    return Problem(code=INTERNAL, message=text, detail=traceback.format_exc())


def _output(task: Task, plan: Plan) -> Path:
    extension = endings(plan.expected.container)[0]
    if plan.route is Route.KEEP:
        if not task.target.always_writes:
            return task.source
        extension = task.source.suffix.lstrip(".") or extension
    return task.target.path_for(task.source, extension)


def prepare(task: Task, request: Request, on_progress: Callable[[Progress], None] | None) -> Report:
    """Prepare one input; whatever becomes of it is in the report."""
    try:
        return process_file(
            task.source,
            intent=request.intent,
            target=task.target,
            options=request.options,
            on_progress=on_progress,
        )
    except BrokenPipeError:  # nobody reads the progress on stdout any more
        raise
    except Exception as error:  # noqa: BLE001 - as in `look`
        return Report(input=task.source, status=Status.FAILED, error=_surprise(error))


def exit_code(statuses: Iterable[Status | None]) -> Exit:
    """The exit code of a call whose inputs ended so."""
    met = set(statuses)
    if Status.FAILED in met:
        return Exit.FAILED
    return Exit.REJECTED if Status.REJECTED in met else Exit.READY
