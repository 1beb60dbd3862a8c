"""The words for what can happen to a worker: what happened, measured, allowed, what to do."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

from preprocess.errors import FailureCode, PreparationFailed

if TYPE_CHECKING:
    from preprocess.worker.handle import Budget

_SUSPECT: Final = "The file may be damaged or hostile; other files are not affected."


def deadline(op: str, budget: Budget, elapsed_s: float, detail: str | None) -> PreparationFailed:
    """Say that the wall-clock limit was reached and the worker killed."""
    text = (
        f"{op} was stopped after {elapsed_s:.1f} s; allowed: {budget.deadline_s:.3g} s. "
        "Allow more time, or take a shorter window."
    )
    return PreparationFailed(FailureCode.DEADLINE, text, detail=detail)


def cancelled(what: str = "the work") -> PreparationFailed:
    """Say that the caller wanted it so."""
    return PreparationFailed(FailureCode.CANCELLED, f"{what} was cancelled")


def malformed(op: str, problem: str, detail: str | None) -> PreparationFailed:
    """Say that the worker answered nonsense and has been killed."""
    text = f"the worker answered {op} with {problem}, and was stopped. {_SUSPECT}"
    return PreparationFailed(FailureCode.WORKER_DIED, text, detail=detail)


def not_started(problem: OSError, command: str) -> PreparationFailed:
    """Say that no process could be made."""
    text = (
        f"no worker could be started with {command or 'an unknown interpreter'}: {problem}. "
        "Check sys.executable, and the limits on processes and open files."
    )
    return PreparationFailed(FailureCode.WORKER_DIED, text)


def died(
    op: str, budget: Budget, status: int | None, elapsed_s: float, detail: str | None
) -> PreparationFailed:
    """Say that the worker ended without an answer; ``status`` is ``Popen.returncode``."""
    if status == -signal.SIGXCPU:
        text = (
            f"{op} was stopped after {elapsed_s:.1f} s because it had used up its CPU time; "
            f"allowed: {budget.cpu_s} CPU seconds. Allow more, or take a shorter window."
        )
        return PreparationFailed(FailureCode.DEADLINE, text, detail=detail)
    silent = "" if status is None or status < 0 else " and no answer"
    text = f"the worker died in {op} after {elapsed_s:.1f} s: {ending(status)}{silent}. {_SUSPECT}"
    return PreparationFailed(FailureCode.WORKER_DIED, text, detail=detail)


def limit(op: str, budget: Budget, code: str, said: str) -> PreparationFailed:
    """Say that the worker ran into a limit; ``code`` and ``said`` are from its answer."""
    text = {
        "memory_limit": f"{op} needed more than the {_size(budget.memory_bytes)} of address space "
        "it was allowed. Allow more, or use fewer threads.",
        "output_limit": f"{op} wrote a file of more than the {_size(budget.output_bytes)} it was "
        "allowed. Allow more, or take a shorter window.",
        "disk_full": f"{op} could not write on: the disk or the quota is full. Free some space "
        "where the output goes, then try again.",
    }[code]
    return PreparationFailed(FailureCode(code), text, detail=said)


def printable(data: bytes) -> str:
    """What a child wrote: it may quote a file, and that may hold commands for a terminal."""
    text = data.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text).strip()


def ending(status: int | None) -> str:
    """How a child ended, in words, by ``Popen.returncode``."""
    if status is None:
        return "how is not known"
    if status >= 0:
        return f"it exited with code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:  # a real-time signal has no name
        name = f"signal {-status}"
    hint = ", as when the system runs out of memory" if name == "SIGKILL" else ""
    return f"killed by {name}{hint}"


def _size(count: int) -> str:
    return f"{count / 2**20:.0f} MiB" if count >= 10 * 2**20 else f"{count} bytes"
