"""One worker as its user sees it: what a call may use up, how to stop it, what it answers."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from preprocess.worker import failures
from preprocess.worker.process import Process
from preprocess.worker.protocol import (
    INTERNAL_ERROR,
    MAX_ANSWER_BYTES,
    MAX_FDS,
    MAX_REQUEST_BYTES,
    MEMORY_UNCLEAR,
    ChannelClosedError,
    MemoryUnclearError,
    Message,
    OperationError,
    ProtocolError,
    check_answer,
    encode,
    field,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_DEADLINE_S: Final = 7 * 86_400.0
"""A week; poll(2) cannot count much further."""

# A worker whose end of the line closed is about to exit; killing it at once would hide its status.
_EXIT_GRACE_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one call may use up. Raises ValueError for bounds that are not positive."""

    deadline_s: float
    """Wall-clock seconds from the call on, start of the worker included; kept by killing."""
    cpu_s: int
    """CPU seconds of all threads together, on top of what the worker has used already."""
    memory_bytes: int
    """Address space of the worker in all (an idle one with PyAV loaded has some 190 MB)."""
    output_bytes: int
    """Size of any one file it writes."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not 0 < self.deadline_s <= MAX_DEADLINE_S:
            text = f"deadline_s is {self.deadline_s}; allowed: above 0 to {MAX_DEADLINE_S:.0f}"
            raise ValueError(text)
        if min(self.cpu_s, self.memory_bytes, self.output_bytes) <= 0:
            text = f"every bound of a budget must be above 0: {self}"
            raise ValueError(text)


class Cancel:
    """A token to stop work from another thread, an event loop or a signal handler."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._cancelled = False
        self._workers: set[Worker] = set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` has been called."""
        return self._cancelled

    def cancel(self) -> None:
        """Kill the workers leased under this token, now and for good; does not wait for them."""
        # Inside the lock, so that a worker whose lease ends meanwhile is not killed in other hands.
        with self._lock:
            self._cancelled = True
            for worker in self._workers:
                worker.kill()

    def attach(self, worker: Worker) -> None:
        """Let the token stop this worker; PreparationFailed (CANCELLED) if it is too late."""
        with self._lock:
            if self._cancelled:
                raise failures.cancelled()
            self._workers.add(worker)
            worker.cancel = self

    def detach(self, worker: Worker) -> None:
        """Let go of the worker; if it has been killed, it is not used again."""
        with self._lock:
            self._workers.discard(worker)
            worker.cancel = None
            if self._cancelled:
                worker.retire()


class Worker:
    """One worker process. Serves one call at a time; get it from `lease`."""

    def __init__(self, module: str) -> None:
        """Start the process without waiting until it is ready.

        Raises PreparationFailed (WORKER_DIED) if it cannot be started.
        """
        self.module = module
        self.posture: tuple[str, ...] = ()
        """The layers of protection in force, as the worker reported them; known after a call."""
        self.calls = 0
        """Calls that ended with an answer."""
        self.idle_since = time.monotonic()
        self.cancel: Cancel | None = None
        self._process = Process(module)
        self._channel = self._process.channel
        self._busy = threading.Lock()
        self._retired = False

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def call(
        self,
        op: str,
        args: Mapping[str, object],
        *,
        fds: Sequence[int] = (),
        budget: Budget,
        on_progress: Callable[[float], None] | None = None,
    ) -> dict[str, object]:
        """Let the worker run one operation and return its answer.

        ``args`` must be JSON-able; ``fds`` are duplicated into the worker and stay the caller's.
        ``on_progress`` gets the done share (0 to 1), at most some ten times a second.

        Raises OperationError for what the operation had to say, and PreparationFailed with
        WORKER_DIED, DEADLINE, CANCELLED, MEMORY_LIMIT, OUTPUT_LIMIT or DISK_FULL. After any other
        exception, one out of ``on_progress`` and KeyboardInterrupt included, the worker is gone.
        Nothing the worker says is trusted: what is in the answer is the caller's to check.
        """
        frame = _request(op, args, fds, budget)
        if not self._busy.acquire(blocking=False):
            text = "this worker is busy with a call; lease one for each thread"
            raise RuntimeError(text)
        try:
            self._check_ours(op)
            answer = self._converse(op, budget, frame, fds, on_progress)
        except BaseException:
            self._retired = True
            self._process.close()
            raise
        finally:
            self._busy.release()
        self.calls += 1
        return self._outcome(op, budget, answer)

    def retire(self) -> None:
        """Let this worker not be used again after the lease, whatever the reason."""
        self._retired = True

    def kill(self) -> None:
        """Kill the process and its children at once, from any thread; the lease cleans up."""
        self._process.kill()

    def close(self) -> None:
        """Kill the process, collect it and close what belongs to it; idempotent."""
        self._retired = True
        self.kill()
        # A call under way in another thread sees the end of its worker, and cleans up.
        if self._busy.acquire(blocking=False):
            try:
                self._process.close()
            finally:
                self._busy.release()

    def rest(self, seconds: float | None) -> None:
        """Tell the worker to end itself if nothing comes for ``seconds``; None: wait for ever."""
        frame = encode({"type": "idle", "seconds": seconds}, max_bytes=MAX_REQUEST_BYTES)
        try:
            self._channel.send(frame, deadline=time.monotonic() + 1)
        except (ChannelClosedError, TimeoutError):
            self.retire()

    def is_usable(self, *, max_calls: int) -> bool:
        """Whether it may serve further calls: alive, not retired, silent and not worn out."""
        if self._retired or self.calls >= max_calls or not self._process.is_ours():
            return False
        # A new one may have said "ready" already; later on, one that speaks unasked is no good.
        return self._channel.is_silent() if self.calls else not self._process.has_ended()

    def _converse(
        self,
        op: str,
        budget: Budget,
        frame: bytes,
        fds: Sequence[int],
        on_progress: Callable[[float], None] | None,
    ) -> Message:
        """Send a request and wait for the last word about it: well-formed, but not trusted."""
        started = time.monotonic()
        deadline = started + budget.deadline_s
        with self._translated(op, budget, started):
            self._channel.send(frame, fds, deadline=deadline)
        while True:
            with self._translated(op, budget, started):
                answer = self._channel.receive(max_bytes=MAX_ANSWER_BYTES, deadline=deadline)
                kind = check_answer(answer)
            if kind == "ready":
                self.posture = tuple(str(layer) for layer in field(answer, "posture", list))
            elif kind != "progress":
                self._process.clear_stderr()
                return answer
            elif on_progress is not None:
                on_progress(min(1.0, max(0.0, field(answer, "value", float))))

    @contextmanager
    def _translated(self, op: str, budget: Budget, started: float) -> Iterator[None]:
        """Turn what can happen to a conversation into PreparationFailed, with the worker dead."""
        try:
            yield
        except (TimeoutError, ChannelClosedError, ProtocolError) as exc:
            closed = isinstance(exc, ChannelClosedError)
            status = self._process.end(grace_s=_EXIT_GRACE_S if closed else 0)
            elapsed_s = time.monotonic() - started
            detail = self._process.stderr_tail()
            if self.cancel is not None and self.cancel.cancelled:
                raise failures.cancelled(op) from exc
            if isinstance(exc, TimeoutError):
                raise failures.deadline(op, budget, elapsed_s, detail) from exc
            if closed:
                raise failures.died(op, budget, status, elapsed_s, detail) from exc
            raise failures.malformed(op, str(exc), detail) from exc

    def _check_ours(self, op: str) -> None:
        if self._process.is_ours():
            return
        if self.cancel is not None and self.cancel.cancelled:
            raise failures.cancelled(op)
        text = "this worker has ended, or was started before os.fork(); lease another one"
        raise RuntimeError(text)

    def _outcome(self, op: str, budget: Budget, answer: Message) -> dict[str, object]:
        """Return the result in the answer, or raise what it says instead."""
        if answer["type"] == "result":
            return field(answer, "value", dict)
        code, message = field(answer, "code", str), field(answer, "message", str)
        if answer["type"] == "error":
            # An exception nobody foresaw may have left anything behind.
            self._retired = self._retired or code == INTERNAL_ERROR
            raise OperationError(code, message, field(answer, "details", dict))
        # A decoder that met a limit half-way may not be what it was.
        self._retired = True
        if code == MEMORY_UNCLEAR:
            if self.calls > 1:
                raise MemoryUnclearError(message)
            code = "memory_limit"
        raise failures.limit(op, budget, code, message)


def _request(op: str, args: Mapping[str, object], fds: Sequence[int], budget: Budget) -> bytes:
    """Make the frame that asks for ``op``; ValueError for what the caller got wrong."""
    if len(fds) > MAX_FDS:
        text = f"{len(fds)} descriptors for one call; allowed: {MAX_FDS}"
        raise ValueError(text)
    request = {
        "type": "job",
        "op": op,
        "args": dict(args),
        "fds": len(fds),
        "cpu_s": budget.cpu_s,
        "memory_bytes": budget.memory_bytes,
        "output_bytes": budget.output_bytes,
    }
    try:
        return encode(request, max_bytes=MAX_REQUEST_BYTES)
    except ProtocolError as exc:
        raise ValueError(str(exc)) from exc
