"""Start and end frame of one clip, prepared together: to one size, both written or none."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from preprocess import intake
from preprocess.errors import FailureCode, InputRejected, PreparationFailed
from preprocess.image_planner import pair_intents
from preprocess.plan import Plan, Reason, Rejection
from preprocess.planner import decide
from preprocess.prepare import (
    Ready,
    carried_out,
    changes_first,
    check_still_wanted,
    deadline_named,
    ended,
    published,
    report_facts,
    settle_plan,
)
from preprocess.profiles.load import load_profile
from preprocess.task import OnProgress, Options, Target, Task, probe
from preprocess.worker.client import Cancel, lease

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from preprocess.intent import Intent
    from preprocess.report import Report

Decision = Plan | Rejection
_NAMES = ("start", "end")


def report_pair_plan(
    sources: Sequence[Path], intent: Intent, options: Options, cancel: Cancel | None = None
) -> tuple[Decision, Decision]:
    """Measure both and decide: two plans, or two rejections. Raises as `report_facts` does."""
    profile = load_profile(intent.profile)
    facts = [report_facts(source, intent, options, cancel) for source in sources]
    intents = pair_intents(facts[0], profile, intent)
    start, end = (decide(*each) for each in zip(facts, (profile, profile), intents, strict=True))
    return both_or_none(start, end)


def both_or_none(start: Decision, end: Decision) -> tuple[Decision, Decision]:
    """Neither frame is made where one of them cannot be."""
    if isinstance(start, Rejection) and isinstance(end, Plan):
        return start, Rejection(reasons=(without_other(0, start.reasons),))
    if isinstance(end, Rejection) and isinstance(start, Plan):
        return Rejection(reasons=(without_other(1, end.reasons),)), end
    return start, end


def without_other(other: int, reasons: Sequence[Reason]) -> Reason:
    """Why a frame that is fine is left out: number *other* of the pair is refused."""
    rules = ", ".join(dict.fromkeys(reason.rule for reason in reasons))
    return Reason(
        rule="input.pair",
        measured=f"the {_NAMES[other]} frame is refused ({rules})",
        limit="both frames, or none",
        fix="replace that one, or prepare this one alone with --mode i2v_first",
    )


def report_pair(
    sources: Sequence[Path],
    intent: Intent,
    targets: Sequence[Target],
    options: Options,
    *,
    on_progress: OnProgress | None = None,
    cancel: Cancel | None = None,
) -> tuple[Report, Report]:
    """Prepare start and end frame; whatever becomes of them is in the reports.

    Raises:
        LookupError, ProfileInvalid, ValueError: the intent names no usable profile or ratio.
    """
    profile = load_profile(intent.profile)
    _ = intent.wanted_aspect  # as for a single file
    tasks = [
        Task(source, intent, profile, options, on_progress, cancel, index=index)
        for index, source in enumerate(sources)
    ]
    start, end = _Pair(tasks, targets).reports()
    return start, end


class _Pair:
    """Two tasks that go on as long as neither is in trouble."""

    def __init__(self, tasks: Sequence[Task], targets: Sequence[Target]) -> None:
        self._tasks = tasks
        self._targets = targets
        self._taken: list[intake.Intake] = []
        self._troubles: dict[int, InputRejected | PreparationFailed] = {}

    def reports(self) -> list[Report]:
        with ExitStack() as stack:
            # After each step both have been looked at: all objections at once.
            for task in self._tasks:
                with self._noting(task):
                    self._measure(task, stack)
            self._settle()
            done = [] if self._troubles else self._carried_out(stack)
            if not self._troubles:
                try:
                    return published(done)
                except PreparationFailed as failed:
                    self._troubles = {task.index: failed for task in self._tasks}
        return [ended(task, self._trouble(task)) for task in self._tasks]

    @contextmanager
    def _noting(self, task: Task) -> Iterator[None]:
        try:
            with deadline_named(task.options):
                yield
        except (InputRejected, PreparationFailed) as trouble:
            self._troubles[task.index] = trouble

    def _measure(self, task: Task, stack: ExitStack) -> None:
        taken = stack.enter_context(intake.open_input(task.source))
        self._taken.append(taken)
        with lease(cancel=task.cancel) as worker, changes_first(taken):
            probe(task, taken, worker)

    def _settle(self) -> None:
        start = self._tasks[0]
        intents = pair_intents(start.facts, start.profile, start.intent)
        for task, intent in zip(self._tasks, intents, strict=True):
            task.intent = intent
            if task.facts is not None:
                with self._noting(task):
                    settle_plan(task)

    def _carried_out(self, stack: ExitStack) -> list[Ready]:
        done = []
        for task, taken, target in zip(self._tasks, self._taken, self._targets, strict=True):
            with self._noting(task), lease(cancel=task.cancel) as worker, changes_first(taken):
                done.append(stack.enter_context(carried_out(task, taken, worker, target)))
        for ready in done:
            with self._noting(ready.task):
                check_still_wanted(ready)
        return done

    def _trouble(self, task: Task) -> InputRejected | PreparationFailed:
        """What is wrong with a frame; with one that is fine, that it has lost the other."""
        own = self._troubles.get(task.index)
        if own is not None:
            return own
        other = 1 - task.index
        trouble = self._troubles[other]
        if isinstance(trouble, InputRejected):
            return InputRejected([without_other(other, trouble.reasons)])
        msg = f"the {_NAMES[other]} frame of the pair failed: {trouble.message}"
        return PreparationFailed(FailureCode.PAIR, msg)
