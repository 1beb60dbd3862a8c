"""One file's work in progress: what is wanted, what is known so far, the talk with its worker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from preprocess import naming, wire
from preprocess.binary import Encoder, Engine
from preprocess.errors import FailureCode, PreparationFailed
from preprocess.facts import Facts
from preprocess.intent import Intent
from preprocess.job import Probed, ProbeRequest
from preprocess.plan import Plan, Reason, Route
from preprocess.profiles import Profile
from preprocess.report import Attempt, EngineRun
from preprocess.worker import failures
from preprocess.worker.client import Budget, Cancel, Worker, lease
from preprocess.worker.handle import MAX_DEADLINE_S
from preprocess.worker.protocol import MemoryUnclearError, OperationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preprocess.intake import Intake

T = TypeVar("T")

GIB = 1 << 30
MIB = 1 << 20
_PROBE_WALL_S = 60
_PROBE_CPU_S = 40
"""A tail of a file without an index is found by reading all of it."""


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
    index: int = 0
    """1 for the end frame of a pair."""


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
    engine: Engine = Engine.AV
    """What encodes clips; packets are copied, and images made, in one way only."""
    encoder: Encoder | None = None
    """Of `Engine.FFMPEG`; ``None``: libx264."""

    def __post_init__(self) -> None:
        """Check what belongs together."""
        if self.encoder is not None and self.engine is not Engine.FFMPEG:
            msg = f"the encoder {self.encoder} is one of the engine ffmpeg, not of {self.engine}"
            raise ValueError(msg)

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


def targets_for(
    sources: Sequence[Path], *, output: Path | None = None, directory: Path | None = None
) -> list[Target]:
    """Where the results of one call go, so that none takes another's name or an input's."""
    stems = naming.distinct_stems(sources, directory)
    return [
        Target(
            output=output,
            directory=directory,
            other_inputs=tuple(other for other in sources if other is not source),
            stem=stem,
        )
        for source, stem in zip(sources, stems, strict=True)
    ]


@dataclass(slots=True)
class Task:
    """What is known about one file so far."""

    source: Path
    intent: Intent
    profile: Profile
    options: Options
    on_progress: OnProgress | None
    cancel: Cancel | None
    index: int = 0
    """1 for the end frame of a pair."""
    started: float = field(default_factory=time.monotonic)
    facts: Facts | None = None
    probed: Probed | None = None
    plan: Plan | None = None
    undecodable: tuple[int, ...] = ()
    """Sound tracks, by stream index, that turned out to give no sound."""
    single_threaded: bool = False
    """An encode with threads has failed."""
    engine: EngineRun | None = None
    """How an ffmpeg program was last told to encode."""
    attempts: list[Attempt] = field(default_factory=list)
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def threads(self) -> int:
        """Threads for each decoder, filter graph and encoder."""
        return 1 if self.single_threaded else self.options.thread_count

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the wall time of the block to *name*."""
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
        """Let the caller know how far it is, if they care."""
        if self.on_progress is not None:
            route = self.plan.route if self.plan is not None else None
            self.on_progress(
                Progress(stage=stage, route=route, fraction=fraction, index=self.index)
            )


def probe(task: Task, taken: Intake, worker: Worker) -> Facts:
    """Let the worker measure the input; the task remembers what it said."""
    request = ProbeRequest(
        window=task.intent.wanted_window,
        cap_s=max(
            task.profile.accept(task.intent.limits).max_duration_s,
            task.profile.target.max_duration_s,
        ),
        tail_tolerance_s=task.profile.tolerances.tail_tolerance_s,
        undecodable=task.undecodable,
    )
    task.tell(Stage.PROBE, 0)
    with task.timed("probe"):
        answer = call(worker, "probe", request, taken.fd, probe_budget(task))
        task.probed = loaded(worker, "probe", Probed, answer.get("probed"))
        task.facts = replace(task.probed.facts, size_bytes=taken.identity[2])
    task.tell(Stage.PROBE, 1)
    return task.facts


def probe_budget(task: Task) -> Budget:
    """What a look at a file, the input or a result, may cost."""
    return Budget(
        deadline_s=task.remaining_s(_PROBE_WALL_S),
        cpu_s=_PROBE_CPU_S,
        memory_bytes=2 * GIB,
        output_bytes=MIB,
    )


def call(
    worker: Worker,
    op: str,
    request: object,
    fd: int | None,
    budget: Budget,
    on_progress: Callable[[float], None] | None = None,
    **extra: object,
) -> dict[str, object]:
    """Have *op* done; operation errors the ladder knows pass, all others are PreparationFailed."""
    args = {"request": wire.dump(request), **extra}
    try:
        return _answered(worker, op, args, fd, budget, on_progress)
    except OperationError as error:
        if error.code in _KNOWN:
            raise
        if error.code in _OF_PROGRAMS:
            code, detail = FailureCode(error.code), str(error.details.get("detail", ""))
            raise PreparationFailed(code, error.message, detail=detail) from error
        # Whatever an engine did not foresee is ours to answer for, with its trace as evidence.
        detail = str(error.details.get("traceback", ""))
        msg = f"{op} broke off: {error.message}. The fault is ours; please report it."
        raise PreparationFailed(FailureCode.ENGINE, msg, detail=detail) from error


_OF_PROGRAMS = {
    *(FailureCode.BINARY_UNFIT, FailureCode.BINARY_FAILED, FailureCode.ENCODER_UNUSABLE),
    FailureCode.DEADLINE,
}
"""What the worker says of an ffmpeg program: told as it is."""


def _answered(
    worker: Worker,
    op: str,
    args: dict[str, object],
    fd: int | None,
    budget: Budget,
    on_progress: Callable[[float], None] | None,
) -> dict[str, object]:
    fds = () if fd is None else (fd,)
    try:
        return worker.call(op, args, fds=fds, budget=budget, on_progress=on_progress)
    except MemoryUnclearError:
        with lease(cancel=worker.cancel, fresh=True) as fresh:
            return fresh.call(op, args, fds=fds, budget=budget, on_progress=on_progress)


def loaded(worker: Worker, op: str, kind: type[T], data: object) -> T:
    """Read what a worker answered, which may be taken over by the file it parsed."""
    try:
        return wire.load(kind, data)
    except wire.WireError as error:
        worker.close()
        raise failures.malformed(op, f"what is no {kind.__name__}", str(error)) from error


_KNOWN = {
    *("source_damaged", "plan_mismatch", "invalid_data"),
    *("sound_lost", "sound_damaged", "sound_uneven"),
}


def corrupt(measured: str, readable: object, expected: object) -> Reason:
    """Why an input that opens is refused all the same."""
    return Reason(
        rule="input.corrupt",
        measured=measured,
        limit="all of them",
        value=readable if isinstance(readable, int) else None,
        limit_value=expected if isinstance(expected, int) else None,
        unit="pictures",
        fix="export or download the file again",
    )


def not_as_planned(missed: str) -> PreparationFailed:
    """A result that verification refused, with nothing costlier left to try."""
    msg = (
        f"the result is not what was planned: {missed}. Nothing was kept. Try again; "
        "if it happens again, please report it."
    )
    return PreparationFailed(FailureCode.VERIFICATION, msg)
