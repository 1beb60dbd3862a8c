"""One file from probe to receipt. The caller's side: nothing here parses media."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from preprocess import intake, naming, publish
from preprocess.errors import FailureCode, InputRejected, PreparationFailed
from preprocess.image_ladder import check_image_decodes, until_image_verified
from preprocess.intent import VerifyLevel
from preprocess.ladder import check_all_decodes, until_verified
from preprocess.plan import ClipPlan, ImagePlan, Plan, Reason, Rejection, Route
from preprocess.planner import decide
from preprocess.profiles.load import load_profile
from preprocess.receipt import written
from preprocess.report import Problem, Report, Status
from preprocess.task import OnProgress, Options, Target, Task, probe, probe_budget
from preprocess.worker.client import Cancel, Worker, lease

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from preprocess.facts import Facts
    from preprocess.intent import Intent
    from preprocess.verify import Check


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
        _deadline_named(options),
    ):
        return probe(task, taken, worker)


def report_plan(
    source: Path, intent: Intent, options: Options, cancel: Cancel | None = None
) -> tuple[Facts, Plan | Rejection]:
    """Measure *source* and decide. Raises as `report_facts` does."""
    profile = load_profile(intent.profile)
    facts = report_facts(source, intent, options, cancel)
    return facts, decide(facts, profile, intent)


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
    task = Task(source, intent, load_profile(intent.profile), options, on_progress, cancel)
    _ = intent.wanted_aspect  # a wrong ratio is the caller's mistake, not the file's
    try:
        with (
            intake.open_input(source) as taken,
            lease(cancel=cancel) as worker,
            _changes_first(taken),
            _deadline_named(options),
        ):
            return _prepare(task, taken, worker, target)
    except InputRejected as rejected:
        return _ended(task, Status.REJECTED, rejected.code, str(rejected), rejected.reasons)
    except PreparationFailed as failed:
        reasons = task.plan.reasons if task.plan else ()
        return _ended(
            task, Status.FAILED, failed.code.value, failed.message, reasons, failed.detail
        )


@contextmanager
def _changes_first(taken: intake.Intake) -> Iterator[None]:
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
def _deadline_named(options: Options) -> Iterator[None]:
    """A step knows what was left for it, the caller what they had allowed."""
    try:
        yield
    except PreparationFailed as failed:
        if failed.code is not FailureCode.DEADLINE or options.deadline_s is None:
            raise
        msg = f"not done within the deadline of {options.deadline_s:g} s: {failed.message}"
        raise PreparationFailed(failed.code, msg, detail=failed.detail) from failed


def _ended(
    task: Task,
    status: Status,
    code: str,
    message: str,
    reasons: tuple[Reason, ...],
    detail: str | None = None,
) -> Report:
    task.timings_s["total"] = time.monotonic() - task.started
    return Report(
        input=task.source,
        status=status,
        plan=task.plan,
        reasons=reasons,
        error=Problem(code=code, message=message, detail=detail),
        facts=task.facts,
        attempts=tuple(task.attempts),
        timings_s=task.timings_s,
    )


def _prepare(task: Task, taken: intake.Intake, worker: Worker, target: Target) -> Report:
    facts = probe(task, taken, worker)
    with task.timed("plan"):
        decision = decide(facts, task.profile, task.intent)
    if isinstance(decision, Rejection):
        raise InputRejected(decision.reasons)
    task.plan = decision
    if decision.route is Route.KEEP:
        if task.intent.verify is VerifyLevel.FULL:
            whole = check_all_decodes if isinstance(decision, ClipPlan) else check_image_decodes
            whole(task, taken, worker)
        return _keep(task, taken, target)
    if isinstance(decision, ImagePlan):
        return _prepare_image(task, taken, worker, target)
    extension = task.profile.target.container
    output = target.path_for(task.source, extension)
    _check_targets(task, target, output, (extension,))
    with publish.temporary(output) as path:
        measured, checks = until_verified(task, taken, worker, path)
        return _publish(task, taken, path, output, measured.facts, checks, worker)


def _prepare_image(task: Task, taken: intake.Intake, worker: Worker, target: Target) -> Report:
    output = _image_output(task, target)
    with publish.temporary(output) as path:
        facts, checks = until_image_verified(task, taken, worker, path)
        # A PNG that was too large has become a JPEG meanwhile.
        output = _image_output(task, target)
        return _publish(task, taken, path, output, facts, checks, worker)


def _image_output(task: Task, target: Target) -> Path:
    """Where the result goes, by its format; nothing there may be in the way."""
    assert task.plan is not None  # noqa: S101 - planned before
    endings = naming.endings(task.plan.expected.container)
    output = target.path_for(task.source, endings[0])
    _check_targets(task, target, output, endings)
    return output


def _check_targets(task: Task, target: Target, output: Path, extensions: tuple[str, ...]) -> None:
    extension = extensions[0]
    if output.suffix.lower().lstrip(".") not in {name.lower() for name in extensions}:
        msg = (
            f"the result is {extension.upper()}, so {output.name} cannot be its name; "
            f"name it {output.stem}.{extension}"
        )
        raise PreparationFailed(FailureCode.TARGET_NAME, msg)
    inputs = (task.source, *target.other_inputs)
    for path in (output, naming.receipt_path(output)):
        publish.check_target(path, inputs, force=task.options.force)


def _keep(task: Task, taken: intake.Intake, target: Target) -> Report:
    taken.check_unchanged()
    if not target.always_writes:
        task.timings_s["total"] = time.monotonic() - task.started
        return Report(
            input=task.source,
            status=Status.UNCHANGED,
            plan=task.plan,
            facts=task.facts,
            output=task.source,
            output_facts=task.facts,
            timings_s=task.timings_s,
        )
    extension = task.source.suffix.lstrip(".") or task.profile.target.container
    output = target.path_for(task.source, extension)
    # The name may be wrong about the bytes, which stay as they are: either ending will do.
    container = (task.facts.container if task.facts is not None else None) or extension
    endings = naming.endings(container)
    _check_targets(task, target, output, (*endings, extension))
    with publish.temporary(output) as path:
        with task.timed("execute"):
            publish.copy_into(taken.fd, path)
        return _publish(task, taken, path, output, task.facts, (), None)


def _publish(
    task: Task,
    taken: intake.Intake,
    path: Path,
    output: Path,
    output_facts: Facts | None,
    checks: tuple[Check, ...],
    worker: Worker | None,
) -> Report:
    with task.timed("publish"):
        digest = publish.digest_and_sync(path)
    assert task.plan is not None  # noqa: S101 - planned before it was carried out
    report = Report(
        input=task.source,
        status=Status.UNCHANGED if task.plan.route is Route.KEEP else Status.PREPARED,
        plan=task.plan,
        reasons=task.plan.reasons,
        facts=task.facts,
        output=output,
        output_sha256=digest,
        output_facts=output_facts,
        checks=checks,
        attempts=tuple(task.attempts),
        timings_s=task.timings_s,
    )
    versions = _versions(task, worker) if worker is not None else {}
    # No result without its record: both are finished before either gets its name.
    with written(report, task.profile, task.intent, versions) as (record, receipt):
        taken.check_unchanged()
        task.check_cancelled()
        publish.publish([(path, output), (record, receipt)], force=task.options.force)
    task.timings_s["total"] = time.monotonic() - task.started
    return replace(report, receipt=receipt)


def _versions(task: Task, worker: Worker) -> dict[str, object]:
    return worker.call("versions", {}, budget=probe_budget(task))
