"""One file from probe to receipt. The caller's side: nothing here parses media."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from preprocess import intake, naming, publish, wire
from preprocess.errors import FailureCode, InputRejected, PreparationFailed
from preprocess.facts import Facts
from preprocess.intent import Intent, Window
from preprocess.job import (
    ExecuteRequest,
    Measured,
    Outcome,
    Probed,
    ProbeRequest,
    VerifyRequest,
)
from preprocess.plan import Plan, Reason, Rejection, Route
from preprocess.planner import decide
from preprocess.profiles import Profile
from preprocess.profiles.load import load_profile
from preprocess.receipt import written
from preprocess.report import Attempt, Problem, Report, Status
from preprocess.verify import Check, check_result
from preprocess.worker import failures
from preprocess.worker.client import Budget, Cancel, Worker, lease
from preprocess.worker.handle import MAX_DEADLINE_S
from preprocess.worker.protocol import OperationError

T = TypeVar("T")

_GIB = 1 << 30
_MIB = 1 << 20
_PROBE_WALL_S = 60
_PROBE_CPU_S = 40
"""A tail of a file without an index is found by reading all of it."""
_COPY_WALL_S = 300
_FULL_HD = 1920 * 1080
_BYTE_CAP_TRIES = 2


class Stage(StrEnum):
    """What is being done."""

    PROBE = "probe"
    EXECUTE = "execute"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far work on one file has come."""

    stage: Stage
    route: Route | None
    fraction: float
    """0 to 1 within the stage."""


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How work is done, as opposed to what is wanted."""

    threads: int | None = None
    """``None``: the cores this process may use."""
    deadline_s: float | None = None
    """Wall time for the whole file; ``None``: budgets by the size of the work."""
    force: bool = False
    """Replace an existing output."""

    @property
    def thread_count(self) -> int:
        """Threads for each decoder, filter graph and encoder."""
        return self.threads or len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a result goes."""

    output: Path | None = None
    """Exactly there."""
    directory: Path | None = None
    """Into this folder; kept files are copied there."""
    other_inputs: tuple[Path, ...] = ()
    """Further inputs of the same call; no result may replace one, not even by force."""
    stem: str | None = None
    """Overrides the stem of the input's name, where names of one call would collide."""

    @property
    def always_writes(self) -> bool:
        """Whether a file that needs no change is copied."""
        return self.output is not None or self.directory is not None

    def path_for(self, source: Path, extension: str) -> Path:
        """The name of the result of *source*."""
        if self.output is not None:
            return self.output
        return naming.output_path(source, self.stem or source.stem, self.directory, extension)


@dataclass(slots=True)
class _Job:
    """What is known about one file so far."""

    source: Path
    intent: Intent
    profile: Profile
    options: Options
    on_progress: OnProgress | None
    cancel: Cancel | None
    started: float = field(default_factory=time.monotonic)
    facts: Facts | None = None
    probed: Probed | None = None
    plan: Plan | None = None
    attempts: list[Attempt] = field(default_factory=list)
    timings_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        before = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - before
            self.timings_s[name] = self.timings_s.get(name, 0.0) + spent
            self.timings_s["total"] = time.monotonic() - self.started

    def remaining_s(self, budget_s: float) -> float:
        """Wall time for the next step."""
        if self.options.deadline_s is None:
            return budget_s
        left = self.options.deadline_s - (time.monotonic() - self.started)
        if left <= 0:
            msg = "no time was left for the next step. Allow more time."
            raise PreparationFailed(FailureCode.DEADLINE, msg)
        return min(left, MAX_DEADLINE_S)

    def check_cancelled(self) -> None:
        """Notice a cancellation that came while no worker was busy."""
        if self.cancel is not None and self.cancel.cancelled:
            raise failures.cancelled()

    def tell(self, stage: Stage, fraction: float) -> None:
        if self.on_progress is not None:
            route = self.plan.route if self.plan is not None else None
            self.on_progress(Progress(stage=stage, route=route, fraction=fraction))


def report_facts(
    source: Path, intent: Intent, options: Options, cancel: Cancel | None = None
) -> Facts:
    """Measure *source*.

    Raises:
        InputRejected: missing, unreadable or not a regular file.
        PreparationFailed: the worker died or took too long.
    """
    job = _Job(source, intent, load_profile(intent.profile), options, None, cancel)
    with (
        intake.open_input(source) as taken,
        lease(cancel=cancel) as worker,
        _deadline_named(options),
    ):
        return _probe(job, taken, worker)


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
    job = _Job(source, intent, load_profile(intent.profile), options, on_progress, cancel)
    _ = intent.wanted_aspect  # a wrong ratio is the caller's mistake, not the file's
    try:
        with (
            intake.open_input(source) as taken,
            lease(cancel=cancel) as worker,
            _changes_first(taken),
            _deadline_named(options),
        ):
            return _prepare(job, taken, worker, target)
    except InputRejected as rejected:
        return _ended(job, Status.REJECTED, rejected.code, str(rejected), rejected.reasons)
    except PreparationFailed as failed:
        reasons = job.plan.reasons if job.plan else ()
        return _ended(job, Status.FAILED, failed.code.value, failed.message, reasons, failed.detail)


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
    job: _Job,
    status: Status,
    code: str,
    message: str,
    reasons: tuple[Reason, ...],
    detail: str | None = None,
) -> Report:
    job.timings_s["total"] = time.monotonic() - job.started
    return Report(
        input=job.source,
        status=status,
        plan=job.plan,
        reasons=reasons,
        error=Problem(code=code, message=message, detail=detail),
        facts=job.facts,
        attempts=tuple(job.attempts),
        timings_s=job.timings_s,
    )


def _probe(job: _Job, taken: intake.Intake, worker: Worker) -> Facts:
    request = ProbeRequest(
        window=_probe_window(job.intent),
        cap_s=max(
            job.profile.accept(job.intent.limits).max_duration_s, job.profile.target.max_duration_s
        ),
        tail_tolerance_s=job.profile.tolerances.tail_tolerance_s,
    )
    job.tell(Stage.PROBE, 0)
    with job.timed("probe"):
        answer = _call(worker, "probe", request, taken.fd, _probe_budget(job))
        job.probed = _loaded(worker, "probe", Probed, answer.get("probed"))
        job.facts = replace(job.probed.facts, size_bytes=taken.identity[2])
    job.tell(Stage.PROBE, 1)
    return job.facts


def _probe_window(intent: Intent) -> Window:
    return intent.wanted_window


def _probe_budget(job: _Job) -> Budget:
    return Budget(
        deadline_s=job.remaining_s(_PROBE_WALL_S),
        cpu_s=_PROBE_CPU_S,
        memory_bytes=2 * _GIB,
        output_bytes=_MIB,
    )


def _call(
    worker: Worker,
    op: str,
    request: object,
    fd: int,
    budget: Budget,
    on_progress: Callable[[float], None] | None = None,
    **extra: object,
) -> dict[str, object]:
    args = {"request": wire.dump(request), **extra}
    try:
        return worker.call(op, args, fds=(fd,), budget=budget, on_progress=on_progress)
    except OperationError as error:
        if error.code in _KNOWN:
            raise
        # Whatever an engine did not foresee is ours to answer for, with its trace as evidence.
        detail = str(error.details.get("traceback", ""))
        msg = f"{op} broke off: {error.message}. The fault is ours; please report it."
        raise PreparationFailed(FailureCode.ENGINE, msg, detail=detail) from error


def _loaded(worker: Worker, op: str, kind: type[T], data: object) -> T:
    """What a worker answered, which may be taken over by the file it parsed."""
    try:
        return wire.load(kind, data)
    except wire.WireError as error:
        worker.close()
        raise failures.malformed(op, f"what is no {kind.__name__}", str(error)) from error


_KNOWN = {"source_damaged", "plan_mismatch", "sound_lost", "invalid_data"}


def _prepare(job: _Job, taken: intake.Intake, worker: Worker, target: Target) -> Report:
    facts = _probe(job, taken, worker)
    with job.timed("plan"):
        decision = decide(facts, job.profile, job.intent)
    if isinstance(decision, Rejection):
        raise InputRejected(decision.reasons)
    job.plan = decision
    if decision.route is Route.KEEP:
        return _keep(job, taken, target)
    extension = job.profile.target.container
    output = target.path_for(job.source, extension)
    _check_targets(job, target, output, (extension,))
    with publish.temporary(output) as path:
        measured, checks = _until_verified(job, taken, worker, path)
        return _publish(job, taken, path, output, measured.facts, checks, worker)


def _check_targets(job: _Job, target: Target, output: Path, extensions: tuple[str, ...]) -> None:
    extension = extensions[0]
    if output.suffix.lower().lstrip(".") not in {name.lower() for name in extensions}:
        msg = f"{output.name} would hold {extension}; name it {output.stem}.{extension}"
        raise PreparationFailed(FailureCode.TARGET_NAME, msg)
    inputs = (job.source, *target.other_inputs)
    for path in (output, naming.receipt_path(output)):
        publish.check_target(path, inputs, force=job.options.force)


def _keep(job: _Job, taken: intake.Intake, target: Target) -> Report:
    taken.check_unchanged()
    if not target.always_writes:
        job.timings_s["total"] = time.monotonic() - job.started
        return Report(
            input=job.source,
            status=Status.UNCHANGED,
            plan=job.plan,
            facts=job.facts,
            output=job.source,
            output_facts=job.facts,
            timings_s=job.timings_s,
        )
    extension = job.source.suffix.lstrip(".") or job.profile.target.container
    output = target.path_for(job.source, extension)
    # The name may be wrong about the bytes, which stay as they are: either ending will do.
    container = job.facts.container if job.facts is not None else None
    _check_targets(job, target, output, (container or extension, extension))
    with publish.temporary(output) as path:
        with job.timed("execute"):
            publish.copy_into(taken.fd, path)
        return _publish(job, taken, path, output, job.facts, (), None)


def _publish(
    job: _Job,
    taken: intake.Intake,
    path: Path,
    output: Path,
    output_facts: Facts | None,
    checks: tuple[Check, ...],
    worker: Worker | None,
) -> Report:
    with job.timed("publish"):
        digest = publish.digest_and_sync(path)
    assert job.plan is not None  # noqa: S101 - planned before it was carried out
    report = Report(
        input=job.source,
        status=Status.UNCHANGED if job.plan.route is Route.KEEP else Status.PREPARED,
        plan=job.plan,
        reasons=job.plan.reasons,
        facts=job.facts,
        output=output,
        output_sha256=digest,
        output_facts=output_facts,
        checks=checks,
        attempts=tuple(job.attempts),
        timings_s=job.timings_s,
    )
    versions = _versions(job, worker) if worker is not None else {}
    # No result without its record: both are finished before either gets its name.
    with written(report, job.profile, job.intent, versions) as (record, receipt):
        taken.check_unchanged()
        job.check_cancelled()
        publish.publish([(path, output), (record, receipt)], force=job.options.force)
    job.timings_s["total"] = time.monotonic() - job.started
    return replace(report, receipt=receipt)


def _versions(job: _Job, worker: Worker) -> dict[str, object]:
    return worker.call("versions", {}, budget=_probe_budget(job))


def _until_verified(
    job: _Job, taken: intake.Intake, worker: Worker, path: Path
) -> tuple[Measured, tuple[Check, ...]]:
    """Carry out the plan; what misses falls to the next costlier route, and says so."""
    tries = 0
    while True:
        assert job.plan is not None  # noqa: S101 - `_prepare` has decided
        assert job.facts is not None  # noqa: S101 - and measured before
        try:
            measured, checks = _attempt(job, taken, worker, path)
        except OperationError as error:
            _after_failure(job, error)
            continue
        missed = [check for check in checks if not check.ok]
        if not missed:
            return measured, checks
        text = ", ".join(f"{check.name}: {check.measured}" for check in missed)
        job.attempts.append(Attempt(route=job.plan.route.label, failed=text))
        if job.plan.route is Route.ENCODE:
            tries += 1
            if not _is_only_too_large(missed):
                msg = (
                    f"the result is not what was planned: {text}. Nothing was kept. Try again; "
                    "if it happens again, please report it."
                )
                raise PreparationFailed(FailureCode.VERIFICATION, msg)
            if tries >= _BYTE_CAP_TRIES:
                raise InputRejected([_over_the_cap(measured, job.plan)])
            job.plan = _slower(job.plan, measured.facts.size_bytes)
        else:
            _next_route(job)


def _is_only_too_large(missed: list[Check]) -> bool:
    """Whether a lower rate would help: the provider's own cap may have a say too."""
    says = {check.name: check.measured for check in missed}
    return (
        "size_bytes" in says
        and says.get("accepted", "file.size") == "file.size"
        and (says.keys() <= {"size_bytes", "accepted"})
    )


def _attempt(
    job: _Job, taken: intake.Intake, worker: Worker, path: Path
) -> tuple[Measured, tuple[Check, ...]]:
    plan, probed = job.plan, job.probed
    assert plan is not None  # noqa: S101 - `_until_verified` has looked
    assert probed is not None  # noqa: S101 - a plan needs a probe
    assert probed.opening is not None  # noqa: S101 - what cannot be opened is rejected
    offset_s = probed.facts.audio.offset_s if probed.facts.audio else Fraction(0)
    request = ExecuteRequest(
        plan=plan,
        opening=probed.opening,
        audio_offset_s=offset_s,
        threads=job.options.thread_count,
        path=str(path.absolute()),
    )
    with job.timed("execute"):
        answer = _call(
            worker,
            "execute",
            request,
            taken.fd,
            _execute_budget(job, plan),
            lambda fraction: job.tell(Stage.EXECUTE, fraction),
        )
        outcome = _loaded(worker, "execute", Outcome, answer.get("outcome"))
    job.tell(Stage.VERIFY, 0)
    with job.timed("verify"):
        measured = _measure(job, worker, plan, path)
        checks = (*check_result(plan, outcome, measured), *_accepted(job, measured))
    job.tell(Stage.VERIFY, 1)
    return measured, checks


def _measure(job: _Job, worker: Worker, plan: Plan, path: Path) -> Measured:
    request = VerifyRequest(
        level=job.intent.verify,
        copied=plan.route is not Route.ENCODE,
        cap_s=plan.expected.max_duration_s,
    )
    with publish.target_errors(path):
        result = path.open("rb", buffering=0)
    with result:
        answer = _call(
            worker, "verify", request, result.fileno(), _probe_budget(job),
            threads=job.options.thread_count,
        )  # fmt: skip
    return _loaded(worker, "verify", Measured, answer.get("measured"))


def _accepted(job: _Job, measured: Measured) -> tuple[Check, ...]:
    """The provider would take the result as it is: a second plan keeps it."""
    again = decide(measured.facts, job.profile, replace(job.intent, window=None))
    route = again.route.label if isinstance(again, Plan) else "rejected"
    reasons = ", ".join(reason.rule for reason in again.reasons)
    return (Check(name="accepted", ok=route == "keep", measured=reasons or route),)


def _execute_budget(job: _Job, plan: Plan) -> Budget:
    threads = job.options.thread_count
    assert job.facts is not None  # noqa: S101 - planned from them
    video = job.facts.video
    pixels = video.coded.area if video else _FULL_HD
    if plan.route is Route.ENCODE:
        work = float(len(plan.source_pts)) / 30 * max(1.0, pixels / _FULL_HD)
        wall_s = 30 + 8 * work
    else:
        wall_s = _COPY_WALL_S
    wall_s = job.remaining_s(wall_s)
    # Decoders hold up to sixteen pictures and one more for each thread; 8K HEVC needs them all.
    pictures = 24 + 2 * threads
    return Budget(
        deadline_s=wall_s,
        cpu_s=int(wall_s * max(1, threads)) + 1,
        memory_bytes=2 * _GIB + 256 * _MIB * threads + pictures * pixels * 3,
        output_bytes=2 * plan.expected.max_bytes + 16 * _MIB,
    )


def _after_failure(job: _Job, error: OperationError) -> None:
    """Choose what to try next, or raise what the failure means."""
    plan, facts = job.plan, job.facts
    assert plan is not None  # noqa: S101 - `_until_verified` has looked
    assert facts is not None  # noqa: S101 - as above
    job.attempts.append(Attempt(route=plan.route.label, failed=f"{error.code}: {error.message}"))
    if error.code == "sound_lost" and facts.audio is not None:
        silent = replace(facts, audio=replace(facts.audio, decodable=False))
        job.facts = silent
        _decide_again(job, plan.route)
    elif plan.route is Route.ENCODE:
        raise InputRejected([_damaged(error)]) from error
    else:
        _next_route(job)


def _next_route(job: _Job) -> None:
    assert job.plan is not None  # noqa: S101 - `_until_verified` has looked
    _decide_again(job, Route(job.plan.route + 1))


def _decide_again(job: _Job, at_least: Route) -> None:
    assert job.facts is not None  # noqa: S101 - `_until_verified` has looked
    decision = decide(job.facts, job.profile, job.intent, at_least=at_least)
    if isinstance(decision, Rejection):
        raise InputRejected(decision.reasons)
    job.plan = decision


def _damaged(error: OperationError) -> Reason:
    readable, expected = error.details.get("readable"), error.details.get("expected")
    return Reason(
        rule="input.corrupt",
        measured=error.message,
        limit="all of them",
        value=readable if isinstance(readable, int) else None,
        limit_value=expected if isinstance(expected, int) else None,
        unit="pictures",
        fix="export or download the file again",
    )


_RATE_MARGIN = 0.9


def _slower(plan: Plan, size_bytes: int) -> Plan:
    """The same plan at a rate that should fit the byte cap."""
    encoding = plan.encoding
    assert encoding is not None  # noqa: S101 - only an encode is repeated
    ceiling = int(encoding.max_rate_bps * _RATE_MARGIN * plan.expected.max_bytes / size_bytes)
    return replace(plan, encoding=replace(encoding, max_rate_bps=ceiling, buffer_bits=ceiling))


def _over_the_cap(measured: Measured, plan: Plan) -> Reason:
    size, cap = measured.facts.size_bytes, plan.expected.max_bytes
    return Reason(
        rule="file.byte_cap",
        measured=f"{size / 1e6:.1f} MB after a second pass at a lower rate",
        limit=f"<= {cap / 1e6:g} MB",
        value=size,
        limit_value=cap,
        unit="bytes",
        fix="choose a shorter window",
    )
