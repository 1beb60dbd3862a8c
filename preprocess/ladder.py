"""Plan, execute, verify: what misses falls to the next costlier route, and says so."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess import publish
from preprocess.errors import InputRejected
from preprocess.intent import VerifyLevel
from preprocess.job import ExecuteRequest, Measured, Outcome, VerifyRequest
from preprocess.plan import AudioAction, ClipPlan, Plan, Reason, Rejection, Route
from preprocess.planner import decide
from preprocess.report import Attempt, EngineRun
from preprocess.rules.file import input_objections
from preprocess.second_engine import UNBOUNDED, audio_offset_s, external_for
from preprocess.task import (
    GIB,
    MIB,
    Stage,
    Task,
    call,
    corrupt,
    loaded,
    not_as_planned,
    probe,
    probe_budget,
)
from preprocess.verify import Check, check_result, sound_check
from preprocess.worker.client import Budget, Worker
from preprocess.worker.protocol import OperationError

if TYPE_CHECKING:
    from pathlib import Path

    from preprocess.facts import Facts
    from preprocess.intake import Intake

_COPY_WALL_S = 300
_FULL_HD = 1920 * 1080
_BYTE_CAP_TRIES = 2
_LONGEST_S = Fraction(600)
"""Of a clip that is decoded whole; what is longer is judged by its beginning."""
_RATE_MARGIN = 0.9


def until_verified(
    task: Task, taken: Intake, worker: Worker, path: Path
) -> tuple[Measured, tuple[Check, ...]]:
    """Carry out the plan; what misses falls to the next costlier route, and says so.

    An encode that misses is done once more with one thread.
    """
    tries = 0
    while True:
        assert isinstance(task.plan, ClipPlan)  # noqa: S101 - the caller has looked
        assert task.facts is not None  # noqa: S101 - and measured before
        try:
            measured, checks = _attempt(task, taken, worker, path)
        except OperationError as error:
            _after_failure(task, taken, worker, error)
            continue
        missed = [check for check in checks if not check.ok]
        if not missed:
            return measured, checks
        text = ", ".join(f"{check.name}: {check.measured}" for check in missed)
        _note(task, text)
        if task.plan.route is Route.ENCODE:
            tries += 1
            if not _is_only_too_large(missed):
                if task.threads > 1:
                    task.single_threaded = True
                    continue
                raise not_as_planned(text)
            if tries >= _BYTE_CAP_TRIES:
                raise InputRejected([_over_the_cap(measured, task.plan)])
            task.plan = _slower(task.plan, measured.facts.size_bytes)
        else:
            _next_route(task)


def _is_only_too_large(missed: list[Check]) -> bool:
    """Whether a lower rate would help: the provider's own cap may have a say too."""
    says = {check.name: check.measured for check in missed}
    return (
        "size_bytes" in says
        and says.get("accepted", "file.size") == "file.size"
        and (says.keys() <= {"size_bytes", "accepted"})
    )


def _attempt(
    task: Task, taken: Intake, worker: Worker, path: Path
) -> tuple[Measured, tuple[Check, ...]]:
    plan, probed = task.plan, task.probed
    assert isinstance(plan, ClipPlan)  # noqa: S101 - `until_verified` has looked
    assert probed is not None  # noqa: S101 - a plan needs a probe
    assert probed.opening is not None  # noqa: S101 - what cannot be opened is rejected
    with task.timed("execute"):
        request = ExecuteRequest(
            plan=plan,
            opening=probed.opening,
            audio_offset_s=audio_offset_s(probed.facts),
            threads=task.threads,
            path=str(path.absolute()),
            external=external_for(task, worker),
        )
        answer = call(
            worker,
            "execute",
            request,
            taken.fd,
            _execute_budget(task, plan),
            lambda fraction: task.tell(Stage.EXECUTE, fraction),
        )
        outcome = loaded(worker, "execute", Outcome, answer.get("outcome"))
    if request.external is not None:
        binary, encoder = request.external.binary, request.external.encoder
        task.engine = EngineRun(binary=binary, encoder=encoder, command=outcome.command)
    task.tell(Stage.VERIFY, 0)
    with task.timed("verify"):
        measured = _measure(task, worker, plan, path)
        checks = (*check_result(plan, outcome, measured), *_accepted(task, measured))
    task.tell(Stage.VERIFY, 1)
    return measured, checks


def check_all_decodes(task: Task, taken: Intake, worker: Worker) -> None:
    """Decode every picture of an input that is to be kept.

    Raises:
        InputRejected: not all of them can be decoded.
    """
    assert isinstance(task.plan, ClipPlan)  # noqa: S101 - the caller has looked
    with task.timed("verify"):
        measured = _measured(task, worker, task.plan, taken.fd)
    if objections := _undecoded(measured):
        raise InputRejected(objections)


def facts_of_whole(task: Task, taken: Intake, worker: Worker) -> Facts:
    """Measure a clip that is not going to be changed, and decode all of it.

    Raises:
        InputRejected: it is none, or not all of it can be decoded.
    """
    request = VerifyRequest(
        level=VerifyLevel.FULL, copied=False, sound_copied=False, sound=True, cap_s=_LONGEST_S
    )
    try:
        measured = _read_back(task, worker, request, taken.fd)
    except OperationError as error:
        text = f"it cannot be opened: {error.message}"
        raise InputRejected([corrupt(text, None, None)]) from error
    facts = replace(measured.facts, size_bytes=taken.identity[2])
    if objections := [*input_objections(facts), *_undecoded(measured)]:
        raise InputRejected(objections)
    return facts


def _undecoded(measured: Measured) -> list[Reason]:
    there, wanted = measured.decoded, measured.to_decode
    reasons = []
    if there < wanted:
        text = f"{there} of {wanted} pictures can be decoded"
        reasons.append(corrupt(text, there, wanted))
    sound = sound_check(measured)
    if sound is not None and not sound.ok:
        text = f"{sound.measured} of the sound can be decoded"
        reasons.append(_damaged_sound(text, measured.sound_s, measured.sound_to_decode_s))
    return reasons


def _measure(task: Task, worker: Worker, plan: ClipPlan, path: Path) -> Measured:
    with publish.target_errors(path):
        result = path.open("rb", buffering=0)
    with result:
        return _measured(task, worker, plan, result.fileno())


def _measured(task: Task, worker: Worker, plan: ClipPlan, fd: int) -> Measured:
    request = VerifyRequest(
        level=VerifyLevel.FULL if _may_be_damaged(task) else task.intent.verify,
        copied=plan.route is not Route.ENCODE,
        sound_copied=plan.audio.action is AudioAction.COPY,
        sound=plan.audio.action is AudioAction.ENCODE or task.intent.verify is VerifyLevel.FULL,
        cap_s=plan.expected.max_duration_s,
    )
    return _read_back(task, worker, request, fd)


def _may_be_damaged(task: Task) -> bool:
    """Whether only decoding tells that the source's pictures are whole."""
    return task.facts is not None and task.facts.video is not None and task.facts.video.lossy


def _read_back(task: Task, worker: Worker, request: VerifyRequest, fd: int) -> Measured:
    threads = task.threads
    answer = call(worker, "verify", request, fd, probe_budget(task), threads=threads)
    return loaded(worker, "verify", Measured, answer.get("measured"))


def _accepted(task: Task, measured: Measured) -> tuple[Check, ...]:
    """The provider would take the result as it is: a second plan keeps it."""
    again = decide(measured.facts, task.profile, replace(task.intent, window=None))
    route = again.route.label if isinstance(again, Plan) else "rejected"
    reasons = ", ".join(reason.rule for reason in again.reasons)
    return (Check(name="accepted", ok=route == "keep", measured=reasons or route),)


def _execute_budget(task: Task, plan: ClipPlan) -> Budget:
    threads = task.threads
    assert task.facts is not None  # noqa: S101 - planned from them
    video = task.facts.video
    pixels = video.coded.area if video else _FULL_HD
    if plan.route is Route.ENCODE:
        work = float(len(plan.source_pts)) / 30 * max(1.0, pixels / _FULL_HD)
        wall_s = 30 + 8 * work
    else:
        wall_s = _COPY_WALL_S
    wall_s = task.remaining_s(wall_s)
    # Decoders hold up to sixteen pictures and one more for each thread; 8K HEVC needs them all.
    pictures = 24 + 2 * threads
    memory_bytes = 2 * GIB + 256 * MIB * threads + pictures * pixels * 3
    if task.options.encoder is not None and task.options.encoder.in_hardware:
        memory_bytes = UNBOUNDED
    return Budget(
        deadline_s=wall_s,
        cpu_s=int(wall_s * max(1, threads)) + 1,
        memory_bytes=memory_bytes,
        output_bytes=2 * plan.expected.max_bytes + 16 * MIB,
    )


def _note(task: Task, failed: str) -> None:
    assert task.plan is not None  # noqa: S101 - `until_verified` has looked
    route = task.plan.route.label
    task.attempts.append(Attempt(route=route, failed=failed, threads=task.threads))


def _after_failure(task: Task, taken: Intake, worker: Worker, error: OperationError) -> None:
    """Choose what to try next, or raise what the failure means."""
    plan = task.plan
    assert plan is not None  # noqa: S101 - `until_verified` has looked
    _note(task, f"{error.code}: {error.message}")
    if error.code.startswith("sound_"):
        _after_sound_failure(task, taken, worker, error)
        _decide_again(task, plan.route)
    elif plan.route is Route.ENCODE and task.threads > 1:
        # Decoders' threads have their own faults (PyAV #1962, FFmpeg 7.1.0's HEVC); one has none.
        task.single_threaded = True
    elif plan.route is Route.ENCODE:
        said = error.details
        reason = corrupt(error.message, said.get("readable"), said.get("expected"))
        raise InputRejected([reason]) from error
    else:
        _next_route(task)


def _after_sound_failure(task: Task, taken: Intake, worker: Worker, error: OperationError) -> None:
    """Put into the facts what trying has shown; the rules know what to do about it.

    Raises:
        InputRejected: some of the sound decodes, but not all.
    """
    facts = task.facts
    assert facts is not None  # noqa: S101 - `until_verified` has looked
    assert facts.audio is not None  # noqa: S101 - there was sound to fail
    if error.code == "sound_lost":
        # The list of decoders is only a promise: the next track is looked at instead.
        task.undecodable = (*task.undecodable, facts.audio.stream)
        probe(task, taken, worker)
    elif error.code == "sound_uneven":
        task.facts = replace(facts, audio=replace(facts.audio, uneven=error.message))
    else:
        said = error.details
        reason = _damaged_sound(error.message, said.get("readable_s"), said.get("expected_s"))
        raise InputRejected([reason]) from error


def _damaged_sound(measured: str, there_s: object, promised_s: object) -> Reason:
    return Reason(
        rule="input.corrupt",
        measured=measured,
        limit="all of it",
        value=_seconds(there_s),
        limit_value=_seconds(promised_s),
        unit="s",
        fix="export or download the file again, or leave the sound out (--audio drop)",
    )


def _seconds(value: object) -> float | None:
    return round(float(value), 6) if isinstance(value, float | Fraction) else None


def _next_route(task: Task) -> None:
    assert task.plan is not None  # noqa: S101 - `until_verified` has looked
    _decide_again(task, Route(task.plan.route + 1))


def _decide_again(task: Task, at_least: Route) -> None:
    assert task.facts is not None  # noqa: S101 - `until_verified` has looked
    decision = decide(task.facts, task.profile, task.intent, at_least=at_least)
    if isinstance(decision, Rejection):
        raise InputRejected(decision.reasons)
    task.plan = decision


def _slower(plan: ClipPlan, size_bytes: int) -> ClipPlan:
    """The same plan at a rate that should fit the byte cap."""
    encoding = plan.encoding
    assert encoding is not None  # noqa: S101 - only an encode is repeated
    ceiling = int(encoding.max_rate_bps * _RATE_MARGIN * plan.expected.max_bytes / size_bytes)
    return replace(plan, encoding=replace(encoding, max_rate_bps=ceiling, buffer_bits=ceiling))


def _over_the_cap(measured: Measured, plan: ClipPlan) -> Reason:
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
