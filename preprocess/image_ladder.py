"""Still images: plan, execute, verify; what misses falls to the next costlier route."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from preprocess import publish
from preprocess.errors import InputRejected
from preprocess.geometry import Orientation
from preprocess.job import ImageMeasured, ImageOutcome, ImageRequest
from preprocess.plan import ImagePlan, Plan, Reason, Rejection, Route
from preprocess.planner import decide
from preprocess.report import Attempt
from preprocess.task import (
    GIB,
    MIB,
    Stage,
    Task,
    call,
    corrupt,
    loaded,
    not_as_planned,
    probe_budget,
)
from preprocess.verify import Check
from preprocess.worker.protocol import OperationError

if TYPE_CHECKING:
    from pathlib import Path

    from preprocess.facts import Facts
    from preprocess.intake import Intake
    from preprocess.worker.client import Budget, Worker

_WALL_S = 60
_BYTES_PER_PIXEL = 16
"""Decoded, converted and resampled copies at their worst."""


def until_image_verified(
    task: Task, taken: Intake, worker: Worker, path: Path
) -> tuple[Facts, tuple[Check, ...]]:
    """Carry out the plan of *task*; its plan changes if a cheaper one does not hold.

    Raises:
        InputRejected: the image cannot be decoded, or not be made small enough.
        PreparationFailed: the result is not what was planned.
    """
    while True:
        plan = task.plan
        assert isinstance(plan, ImagePlan)  # noqa: S101 - the caller has looked
        try:
            measured, checks = _attempt(task, taken, worker, plan, path)
        except OperationError as error:
            _after_failure(task, plan, error)
            continue
        missed = [check for check in checks if not check.ok]
        if not missed:
            return measured.facts, checks
        text = ", ".join(f"{check.name}: {check.measured}" for check in missed)
        task.attempts.append(Attempt(route=plan.route.label, failed=text))
        if plan.route is not Route.ENCODE:
            _encode_instead(task)
        elif {check.name for check in missed} == {"size_bytes"}:
            task.plan = _as_jpeg(plan, measured.facts)
        else:
            raise not_as_planned(text)


def _attempt(
    task: Task, taken: Intake, worker: Worker, plan: ImagePlan, path: Path
) -> tuple[ImageMeasured, tuple[Check, ...]]:
    assert task.facts is not None  # noqa: S101 - planned from them
    container = task.facts.container or ""
    request = ImageRequest(
        plan=plan,
        container=container,
        path=str(path.absolute()),
        threads=task.options.thread_count,
    )
    task.tell(Stage.EXECUTE, 0)
    with task.timed("execute"):
        answer = call(worker, "prepare_image", request, taken.fd, _budget(task, plan))
        outcome = loaded(worker, "prepare_image", ImageOutcome, answer.get("outcome"))
    if plan.encoding is not None and outcome.quality is not None:
        # What the receipt says is what was written.
        task.plan = replace(plan, encoding=replace(plan.encoding, quality=outcome.quality))
    task.tell(Stage.VERIFY, 0)
    with publish.target_errors(path):
        result = path.open("rb", buffering=0)
    with result:
        stays = outcome.pixels is not None
        measured = _measured(task, worker, plan, result.fileno(), digest=stays)
    task.tell(Stage.VERIFY, 1)
    return measured, _checks(task, plan, outcome, measured)


def _measured(
    task: Task, worker: Worker, plan: ImagePlan, fd: int, *, digest: bool
) -> ImageMeasured:
    with task.timed("verify"):
        answer = call(worker, "verify_image", None, fd, _budget(task, plan), digest=digest)
        return loaded(worker, "verify_image", ImageMeasured, answer.get("measured"))


def check_image_decodes(task: Task, taken: Intake, worker: Worker) -> None:
    """Decode an input that is to be kept.

    Raises:
        InputRejected: it cannot be decoded.
    """
    assert isinstance(task.plan, ImagePlan)  # noqa: S101 - the caller has looked
    damage = _measured(task, worker, task.plan, taken.fd, digest=False).damage
    if damage is not None:
        raise InputRejected([corrupt(damage, 0, 1)])


def _budget(task: Task, plan: ImagePlan) -> Budget:
    assert task.facts is not None  # noqa: S101 - planned from them
    image = task.facts.image
    pixels = image.stored.area if image is not None else 0
    probe = probe_budget(task)
    return replace(
        probe,
        deadline_s=task.remaining_s(_WALL_S),
        cpu_s=_WALL_S,
        memory_bytes=GIB + _BYTES_PER_PIXEL * pixels,
        output_bytes=max(task.facts.size_bytes, 4 * plan.expected.max_bytes) + MIB,
    )


def _checks(
    task: Task, plan: ImagePlan, outcome: ImageOutcome, measured: ImageMeasured
) -> tuple[Check, ...]:
    facts, expected = measured.facts, plan.expected
    image = facts.image
    if image is None:
        said = facts.fault_detail or facts.description
        return (Check(name="readable", ok=False, measured=said),)
    size = f"{expected.width_px}x{expected.height_px}"
    again = decide(facts, task.profile, task.intent)
    fate = again.route.label if isinstance(again, Plan) else "rejected"
    why = ", ".join(reason.rule for reason in again.reasons)
    kept = outcome.pixels is None or outcome.pixels == measured.pixels
    return (
        Check(
            name="format", ok=facts.container == expected.container, measured=str(facts.container)
        ),
        Check(name="size", ok=str(image.displayed) == size, measured=str(image.displayed)),
        Check(
            name="upright",
            ok=image.orientation is Orientation.NORMAL,
            measured=image.orientation.value,
        ),
        Check(
            name="private_metadata",
            ok=not facts.private_metadata,
            measured=", ".join(facts.private_metadata) or "none",
        ),
        Check(
            name="size_bytes",
            ok=0 < facts.size_bytes <= expected.max_bytes,
            measured=str(facts.size_bytes),
        ),
        Check(name="decodes", ok=measured.damage is None, measured=measured.damage or "1 picture"),
        Check(name="pixels_identical", ok=kept, measured="same" if kept else "other pixels"),
        Check(
            name="accepted",
            ok=fate == "keep" or why == "image.file_size",
            measured=why or fate,
        ),
    )


def _after_failure(task: Task, plan: ImagePlan, error: OperationError) -> None:
    task.attempts.append(Attempt(route=plan.route.label, failed=f"{error.code}: {error.message}"))
    if error.code == "plan_mismatch" and plan.route is Route.ENCODE:
        raise InputRejected([_bad_profile(error.message)]) from error
    if plan.route is Route.ENCODE or error.code == "source_damaged":
        raise InputRejected([corrupt(error.message, 0, 1)]) from error
    _encode_instead(task)


def _bad_profile(said: str) -> Reason:
    return Reason(rule="image.profile", measured=said, limit="sRGB", fix="export it as sRGB")


def _encode_instead(task: Task) -> None:
    assert task.facts is not None  # noqa: S101 - planned from them
    decision = decide(task.facts, task.profile, task.intent, at_least=Route.ENCODE)
    if isinstance(decision, Rejection):
        raise InputRejected(decision.reasons)
    task.plan = decision


def _as_jpeg(plan: ImagePlan, facts: Facts) -> ImagePlan:
    """A PNG over the cap becomes a JPEG; a JPEG at its lowest quality is the end."""
    if plan.expected.container == "png":
        return replace(plan, expected=replace(plan.expected, container="jpeg"))
    cap = plan.expected.max_bytes
    raise InputRejected(
        [
            Reason(
                rule="image.byte_cap",
                measured=f"{facts.size_bytes / 1e6:.1f} MB at the lowest quality",
                limit=f"<= {cap / 1e6:g} MB",
                value=facts.size_bytes,
                limit_value=cap,
                unit="bytes",
                fix="use a smaller image",
            )
        ]
    )
