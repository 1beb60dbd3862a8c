"""The child: ``python -m preprocess.worker SOCKET LIFELINE`` (two inherited descriptors).

Serves one job at a time until the caller closes its end, and dies with the caller. The operations
themselves are in ``operations``: ``(args, fds, progress) -> dict``. They raise `OperationError` for
what they have to say; the descriptors in ``fds`` are closed here when they return, so an operation
that needs an owner for one duplicates it first.
"""

from __future__ import annotations

import errno
import faulthandler
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from preprocess.worker import limits
from preprocess.worker.protocol import (
    INTERNAL_ERROR,
    MAX_ANSWER_BYTES,
    MAX_REQUEST_BYTES,
    MEMORY_UNCLEAR,
    Channel,
    ChannelClosedError,
    Message,
    OperationError,
    ProtocolError,
    close_all,
    encode,
    field,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Progress = Callable[[float], None]
    Operation = Callable[[dict[str, object], list[int], Progress], dict[str, object]]

PROGRESS_INTERVAL_S: Final = 0.1
"""More often than ten times a second nobody looks."""
_TEXT_TAIL: Final = 8_000
_FAILURES: Final = {
    errno.ENOMEM: "memory_limit",
    errno.EFBIG: "output_limit",
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
}
# AVERROR_EXTERNAL (libavutil/error.h).
_EXTERNAL: Final = int.from_bytes(b"EXT ", "little")


def main(argv: list[str], load: Callable[[], Mapping[str, Operation]] | None = None) -> int:
    """Run the worker; ``load`` brings the operations (default: the product's). Returns 0."""
    sock, lifeline = (int(word) for word in argv[1:3])
    posture = limits.harden(keep=(sock, lifeline))
    posture += limits.die_with_parent(lifeline)
    # A crash in native code leaves the Python stack on stderr, which the caller reports.
    faulthandler.enable()
    channel = Channel(socket.socket(fileno=sock))
    operations = (load or _load)()
    try:
        _send(channel, {"type": "ready", "posture": posture})
        _serve(channel, operations)
    except (ChannelClosedError, TimeoutError):
        return 0  # the caller has gone, or left this worker idle for long enough
    return 0


def _load() -> Mapping[str, Operation]:
    from preprocess.worker.operations import OPERATIONS  # noqa: PLC0415 - limits first

    return OPERATIONS


def _serve(channel: Channel, operations: Mapping[str, Operation]) -> None:
    deadline: float | None = None
    while True:
        request, fds = channel.receive_with_fds(max_bytes=MAX_REQUEST_BYTES, deadline=deadline)
        try:
            if request["type"] == "idle":
                deadline = _idle_deadline(request["seconds"])
            else:
                _send(channel, _answer(channel, operations, request, fds))
        finally:
            close_all(fds)


def _idle_deadline(seconds: object) -> float | None:
    return time.monotonic() + seconds if isinstance(seconds, int | float) else None


def _answer(
    channel: Channel, operations: Mapping[str, Operation], request: Message, fds: list[int]
) -> Message:
    """Run one job and say how it went. Whatever an operation raises becomes an answer."""
    progress = _ProgressReport(channel)
    memory_bytes = field(request, "memory_bytes", int)
    before = limits.peak_bytes()
    try:
        with limits.job_limits(
            cpu_s=field(request, "cpu_s", int),
            memory_bytes=memory_bytes,
            output_bytes=field(request, "output_bytes", int),
        ):
            operation = operations[field(request, "op", str)]
            value = operation(field(request, "args", dict), fds, progress)
    except OperationError as exc:
        # A decoder that was refused memory leaves pictures out; the file is not to be blamed then.
        return _failure(exc, memory_bytes, before) or _error(exc.code, exc.message, exc.details)
    except Exception as exc:  # noqa: BLE001 - nothing may be lost; the limits are lifted by now
        return _failure(exc, memory_bytes, before) or _internal(exc)
    else:
        return {"type": "result", "value": value}
    finally:
        progress.stop()


def _send(channel: Channel, answer: Message) -> None:
    try:
        frame = encode(answer, max_bytes=MAX_ANSWER_BYTES)
    except (TypeError, ValueError, RecursionError, ProtocolError) as exc:
        # The operation's answer cannot be told: a bug there, which must not look like a death.
        frame = encode(_internal(exc), max_bytes=MAX_ANSWER_BYTES)
    channel.send(frame)


class _ProgressReport:
    """Callable from any thread of the operation; silent after the job and in between."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._next_at = 0.0

    def __call__(self, fraction: float) -> None:
        """Report the done share of the work, 0 to 1."""
        with self._lock:
            now = time.monotonic()
            if now < self._next_at:
                return
            self._next_at = now + PROGRESS_INTERVAL_S
            value = min(1.0, max(0.0, float(fraction)))
            _send(self._channel, {"type": "progress", "value": value})

    def stop(self) -> None:
        """Say nothing more: the answer is the last word of a job."""
        with self._lock:
            self._next_at = float("inf")


def _failure(exc: Exception, memory_bytes: int, before: int) -> Message | None:
    """Find the limit behind an exception, if there is one.

    The chain is searched because PyAV wraps what a Python file object raises. Its own errors carry
    ``errno`` too, but derive from OSError only for some numbers.
    """
    for link in _chain(exc):
        code = _FAILURES.get(getattr(link, "errno", None) or 0)
        peak = limits.peak_bytes()
        if _may_hide_malloc(link) and limits.is_near(peak, memory_bytes):
            # The peak of an earlier job hides that of this one: only a fresh worker can tell.
            code = "memory_limit" if peak > before else MEMORY_UNCLEAR
        if isinstance(link, MemoryError) or _is_refused_thread(link):
            code = "memory_limit"
        if code is not None:
            return {"type": "failure", "code": code, "message": _shown(link)}
    return None


def _may_hide_malloc(exc: BaseException) -> bool:
    # FFmpeg's libx264.c says of a malloc that x264 was refused what it says of any other trouble.
    return isinstance(exc, OperationError) or getattr(exc, "errno", None) == _EXTERNAL


def _is_refused_thread(exc: BaseException) -> bool:
    # CPython has no better word for a stack that does not fit under RLIMIT_AS.
    return isinstance(exc, RuntimeError) and "can't start new thread" in str(exc)


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)


def _internal(exc: Exception) -> Message:
    import traceback  # noqa: PLC0415 - only a failing job pays for it

    text = "".join(traceback.format_exception(exc))
    details = {"type": type(exc).__name__, "traceback": text[-_TEXT_TAIL:]}
    return _error(INTERNAL_ERROR, _shown(exc), details)


def _error(code: str, message: str, details: Mapping[str, object]) -> Message:
    return {"type": "error", "code": code, "message": message, "details": details}


def _shown(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {exc}"[:_TEXT_TAIL]


if __name__ == "__main__":
    sys.exit(main(sys.argv))
