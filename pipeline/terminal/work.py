"""What the working commands do with each input, and what comes of it. Prints nothing."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess import (
    Engine,
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
    both_or_none,
    decide,
    endings,
    pair_intents,
    plan_command,
    probe_file,
    process_file,
    process_pair,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.terminal.request import Request, Task
    from preprocess import Intent, Profile

INTERNAL = "internal"
"""Error code of an exception that nobody foresaw: a bug."""


class Exit(IntEnum):
    """Exit codes; besides, 2 is a usage error, and 128 and its number a signal."""

    READY = 0
    FAILED = 1
    REJECTED = 3
    UNKNOWN = 4
    """Something was sent to be paid for, and nobody knows what became of it."""


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
    command: str | None = None
    """What the engine ffmpeg would be told, for a shell."""
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
        return _failed(failed)
    except Exception as error:  # noqa: BLE001 - one file must not cost the others their answers
        return Look(status=Status.FAILED, problem=_surprise(error))


Looks = list[tuple["Task", Look]]


def consider(group: Sequence[Task], request: Request) -> Looks:
    """Measure what is prepared together, and decide about each."""
    found = [look(task, request) for task in group]
    intents: Sequence[Intent] = (request.intent,)
    if len(group) > 1:
        intents = pair_intents(found[0].facts, request.profile, request.intent)
    return [
        (task, _decided(task, each, request.profile, intent))
        for task, each, intent in zip(group, found, intents, strict=True)
    ]


def plan(group: Sequence[Task], request: Request) -> Looks:
    """As `consider`; of a pair both frames would be made, or neither."""
    found = consider(group, request)
    if len(found) == 1:
        return [(task, _with_command(task, each, request)) for task, each in found]
    decisions = [each.plan or Rejection(reasons=each.reasons) for _, each in found]
    together = both_or_none(*decisions)
    return [
        (task, _refused(each, decision) if each.plan and isinstance(decision, Rejection) else each)
        for (task, each), decision in zip(found, together, strict=True)
    ]


def _with_command(task: Task, found: Look, request: Request) -> Look:
    if found.plan is None or found.output is None or request.options.engine is not Engine.FFMPEG:
        return found
    try:
        command = plan_command(
            task.source, found.output, intent=request.intent, options=request.options
        )
    except InputRejected as rejected:
        return replace(_rejected(rejected), facts=found.facts)
    except PreparationFailed as failed:
        return replace(_failed(failed), facts=found.facts, reasons=found.reasons)
    except Exception as error:  # noqa: BLE001 - as in `look`
        return replace(found, status=Status.FAILED, problem=_surprise(error))
    return replace(found, command=command)


def _refused(found: Look, rejection: Rejection) -> Look:
    return replace(_rejected(InputRejected(rejection.reasons)), facts=found.facts)


def _decided(task: Task, found: Look, profile: Profile, intent: Intent) -> Look:
    if found.facts is None:
        return found
    try:
        decision = decide(found.facts, profile, intent)
    except Exception as error:  # noqa: BLE001 - as in `look`
        return replace(found, status=Status.FAILED, problem=_surprise(error))
    if isinstance(decision, Rejection):
        return _refused(found, decision)
    output = _output(task, decision)
    return replace(found, plan=decision, reasons=decision.reasons, output=output)


def _rejected(rejected: InputRejected) -> Look:
    problem = Problem(code=rejected.code, message=str(rejected))
    return Look(status=Status.REJECTED, problem=problem, reasons=rejected.reasons)


def _failed(failed: PreparationFailed) -> Look:
    problem = Problem(code=failed.code, message=failed.message, detail=failed.detail)
    return Look(status=Status.FAILED, problem=problem)


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


def prepare(
    group: Sequence[Task], request: Request, on_progress: Callable[[Progress], None] | None
) -> list[tuple[Task, Report]]:
    """Prepare what belongs together; whatever becomes of it is in the reports."""
    try:
        reports = _processed(group, request, on_progress)
    except BrokenPipeError:  # nobody reads the progress on stdout any more
        raise
    except Exception as error:  # noqa: BLE001 - as in `look`
        problem = _surprise(error)
        reports = [Report(input=task.source, status=Status.FAILED, error=problem) for task in group]
    return list(zip(group, reports, strict=True))


def _processed(
    group: Sequence[Task], request: Request, on_progress: Callable[[Progress], None] | None
) -> Sequence[Report]:
    if len(group) > 1:
        start, end = group
        return process_pair(
            *(start.source, end.source),
            intent=request.intent,
            directory=start.target.directory,
            options=request.options,
            on_progress=on_progress,
        )
    [task] = group
    report = process_file(
        task.source,
        intent=request.intent,
        target=task.target,
        options=request.options,
        on_progress=on_progress,
    )
    return [report]


def exit_code(statuses: Iterable[Status | None]) -> Exit:
    """The exit code of a call whose inputs ended so."""
    met = set(statuses)
    if Status.FAILED in met:
        return Exit.FAILED
    return Exit.REJECTED if Status.REJECTED in met else Exit.READY
