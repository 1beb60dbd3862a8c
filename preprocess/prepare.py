"""One file from probe to receipt. The caller's side: nothing here parses media."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess import intake, naming, publish, second_engine
from preprocess.errors import FailureCode, InputRejected, PreparationFailed
from preprocess.image_ladder import check_image_decodes, until_image_verified
from preprocess.intent import Intent, Mode, VerifyLevel
from preprocess.ladder import check_all_decodes, facts_of_whole, until_verified
from preprocess.plan import ImagePlan, Plan, Rejection, Route
from preprocess.planner import decide
from preprocess.profiles.load import load_profile
from preprocess.receipt import written
from preprocess.report import Problem, Report, Status
from preprocess.task import OnProgress, Options, Target, Task, probe, probe_budget
from preprocess.worker.client import Cancel, Worker, lease

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from preprocess.facts import Facts
    from preprocess.verify import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A verified result that has no name yet."""

    task: Task
    taken: intake.Intake
    report: Report
    files: tuple[tuple[Path, Path], ...]
    """Temporaries and what they will be called; none where the input itself is the result."""


def report_facts(
    source: Path, intent: Intent, options: Options, cancel: Cancel | None = None
) -> Facts:
    """Measure *source*.

    Raises:
        InputRejected: missing, unreadable or not a regular file.
        PreparationFailed: the worker died or took too long.
    """
    task = Task(source, intent, load_profile(intent.profile), options, None, cancel)
    with (
        intake.open_input(source) as taken,
        lease(cancel=cancel) as worker,
        deadline_named(options),
    ):
        return probe(task, taken, worker)


def report_whole(source: Path, options: Options, cancel: Cancel | None = None) -> Facts:
    """Measure the clip *source* and decode all of it.

    Raises:
        InputRejected: it cannot be read, is no clip, or is damaged.
        PreparationFailed: the worker died or took too long.
    """
    intent = Intent()
    task = Task(source, intent, load_profile(intent.profile), options, None, cancel)
    with (
        intake.open_input(source) as taken,
        lease(cancel=cancel) as worker,
        deadline_named(options),
    ):
        return facts_of_whole(task, taken, worker)


def report_plan(
    source: Path, intent: Intent, options: Options, cancel: Cancel | None = None
) -> tuple[Facts, Plan | Rejection]:
    """Measure *source* and decide. Raises as `report_facts` does."""
    _check_alone(intent)
    profile = load_profile(intent.profile)
    facts = report_facts(source, intent, options, cancel)
    return facts, decide(facts, profile, intent)


def report_command(
    source: Path, output: Path, intent: Intent, options: Options, cancel: Cancel | None = None
) -> str | None:
    """The shell command that makes *output* of *source*; ``None`` where no program is needed.

    Raises:
        InputRejected: nothing can be done.
        PreparationFailed: as `report_facts`; there is no fit program.
    """
    _check_alone(intent)
    task = Task(source, intent, load_profile(intent.profile), options, None, cancel)
    with (
        intake.open_input(source) as taken,
        lease(cancel=cancel) as worker,
        deadline_named(options),
    ):
        probe(task, taken, worker)
        settle_plan(task)
        return second_engine.shell_command(task, taken, worker, output)


def report_file(
    source: Path,
    intent: Intent,
    target: Target,
    options: Options,
    *,
    on_progress: OnProgress | None = None,
    cancel: Cancel | None = None,
) -> Report:
    """Prepare *source*; whatever becomes of it is in the report.

    Raises:
        LookupError, ProfileInvalid, ValueError: the intent names no usable profile or ratio.
    """
    _check_alone(intent)
    task = Task(source, intent, load_profile(intent.profile), options, on_progress, cancel)
    _ = intent.wanted_aspect  # a wrong ratio is the caller's mistake, not the file's
    try:
        with (
            intake.open_input(source) as taken,
            lease(cancel=cancel) as worker,
            changes_first(taken),
            deadline_named(options),
        ):
            probe(task, taken, worker)
            settle_plan(task)
            with carried_out(task, taken, worker, target) as ready:
                check_still_wanted(ready)
                return published([ready])[0]
    except (InputRejected, PreparationFailed) as trouble:
        return ended(task, trouble)


def _check_alone(intent: Intent) -> None:
    if intent.mode is Mode.I2V_BOTH:
        msg = "i2v_both takes a start and an end frame together: use plan_pair or process_pair"
        raise ValueError(msg)


@contextmanager
def changes_first(taken: intake.Intake) -> Iterator[None]:
    """A file that somebody still writes to is not called damaged."""
    try:
        yield
    except InputRejected:
        taken.check_unchanged()
        raise
    except PreparationFailed as failed:
        if failed.code in (FailureCode.ENGINE, FailureCode.VERIFICATION):
            taken.check_unchanged()
        raise


@contextmanager
def deadline_named(options: Options) -> Iterator[None]:
    """A step knows what was left for it, the caller what they had allowed."""
    try:
        yield
    except PreparationFailed as failed:
        if failed.code is not FailureCode.DEADLINE or options.deadline_s is None:
            raise
        msg = f"not done within the deadline of {options.deadline_s:g} s: {failed.message}"
        raise PreparationFailed(failed.code, msg, detail=failed.detail) from failed


def ended(task: Task, trouble: InputRejected | PreparationFailed) -> Report:
    """The report of work that came to nothing."""
    task.timings_s["total"] = time.monotonic() - task.started
    if isinstance(trouble, InputRejected):
        status, reasons = Status.REJECTED, trouble.reasons
        problem = Problem(code=trouble.code, message=str(trouble))
    else:
        status, reasons = Status.FAILED, task.plan.reasons if task.plan else ()
        problem = Problem(code=trouble.code.value, message=trouble.message, detail=trouble.detail)
    return Report(
        input=task.source,
        status=status,
        plan=task.plan,
        reasons=reasons,
        error=problem,
        facts=task.facts,
        attempts=tuple(task.attempts),
        timings_s=task.timings_s,
    )


def settle_plan(task: Task) -> None:
    """Decide about the facts of *task*.

    Raises:
        InputRejected: nothing can be done.
    """
    assert task.facts is not None  # noqa: S101 - measured before
    with task.timed("plan"):
        decision = decide(task.facts, task.profile, task.intent)
    if isinstance(decision, Rejection):
        raise InputRejected(decision.reasons)
    task.plan = decision


@contextmanager
def carried_out(
    task: Task, taken: intake.Intake, worker: Worker, target: Target
) -> Iterator[Ready]:
    """Carry out the plan of *task*; the result is kept only if it is `published` meanwhile.

    Raises:
        InputRejected: the input turned out to be damaged.
        PreparationFailed: the result is not what was planned, or cannot be written.
    """
    assert task.plan is not None  # noqa: S101 - planned before
    keep = task.plan.route is Route.KEEP
    if keep and isinstance(task.plan, ImagePlan):
        # Headers say little of a picture, and one is soon decoded.
        check_image_decodes(task, taken, worker)
    elif keep and task.intent.verify is VerifyLevel.FULL:
        check_all_decodes(task, taken, worker)
    if keep and not target.always_writes:
        report = replace(_report(task), output=task.source, output_facts=task.facts)
        yield Ready(task=task, taken=taken, report=report, files=())
        return
    output, container = _output(task, target), task.plan.expected.container
    with publish.temporary(output) as path:
        output_facts, checks = _executed(task, taken, worker, path)
        if task.plan.expected.container != container:  # a PNG that was too large is a JPEG now
            output = _output(task, target)
        with task.timed("publish"):
            digest = publish.digest_and_sync(path)
        report = replace(
            _report(task),
            output=output,
            output_sha256=digest,
            output_facts=output_facts,
            checks=checks,
            attempts=tuple(task.attempts),
            engine=task.engine,
        )
        versions = {} if keep else worker.call("versions", {}, budget=probe_budget(task))
        # No result without its record: both are finished before either gets its name.
        with written(report, task.profile, task.intent, versions) as (record, receipt):
            report = replace(report, receipt=receipt)
            files = ((path, output), (record, receipt))
            yield Ready(task=task, taken=taken, report=report, files=files)


def _executed(
    task: Task, taken: intake.Intake, worker: Worker, path: Path
) -> tuple[Facts | None, tuple[Check, ...]]:
    assert task.plan is not None  # noqa: S101 - the caller has looked
    if task.plan.route is Route.KEEP:
        with task.timed("execute"):
            publish.copy_into(taken.fd, path)
        return task.facts, ()
    if isinstance(task.plan, ImagePlan):
        return until_image_verified(task, taken, worker, path)
    measured, checks = until_verified(task, taken, worker, path)
    return measured.facts, checks


def _report(task: Task) -> Report:
    assert task.plan is not None  # noqa: S101 - planned before it was carried out
    return Report(
        input=task.source,
        status=Status.UNCHANGED if task.plan.route is Route.KEEP else Status.PREPARED,
        plan=task.plan,
        reasons=task.plan.reasons,
        facts=task.facts,
        timings_s=task.timings_s,
    )


def _output(task: Task, target: Target) -> Path:
    """Where the result goes, by its format; nothing there may be in the way."""
    assert task.plan is not None  # noqa: S101 - planned before
    endings = naming.endings(task.plan.expected.container)
    if task.plan.route is Route.KEEP:
        # The name may be wrong about the bytes, which stay as they are: either ending will do.
        endings = (task.source.suffix.lstrip(".") or endings[0], *endings)
    output = target.path_for(task.source, endings[0])
    if output.suffix.lower().lstrip(".") not in {ending.lower() for ending in endings}:
        ending = endings[0]
        msg = (
            f"the result is {ending.upper()}, so {output.name} cannot be its name; "
            f"name it {output.stem}.{ending}"
        )
        raise PreparationFailed(FailureCode.TARGET_NAME, msg)
    inputs = (task.source, *target.other_inputs)
    for path in (output, naming.receipt_path(output)):
        publish.check_target(path, inputs, force=task.options.force)
    return output


def check_still_wanted(ready: Ready) -> None:
    """Look a last time: what comes after this is only the name.

    Raises:
        InputRejected: the input was written to meanwhile.
        PreparationFailed: the caller has cancelled.
    """
    ready.taken.check_unchanged()
    ready.task.check_cancelled()


def published(results: Sequence[Ready]) -> list[Report]:
    """Give results their names: all of them, or none.

    Raises:
        PreparationFailed: a name cannot be had.
    """
    files = [file for ready in results for file in ready.files]
    if files:
        publish.publish(files, force=results[0].task.options.force)
    for ready in results:
        ready.task.timings_s["total"] = time.monotonic() - ready.task.started
    return [ready.report for ready in results]
