"""What the worker's tests share."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess.worker.client import Budget, lease

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from preprocess.worker.client import Cancel, Worker

FAULTY = "tests.worker.faulty"
ROOT = Path(__file__).parents[2]
MIB = 2**20


def budget(
    *,
    deadline_s: float = 20,
    cpu_s: int = 10,
    memory_bytes: int = 1024 * MIB,
    output_bytes: int = 64 * MIB,
) -> Budget:
    return Budget(
        deadline_s=deadline_s, cpu_s=cpu_s, memory_bytes=memory_bytes, output_bytes=output_bytes
    )


def faulty(*, cancel: Cancel | None = None, fresh: bool = False) -> AbstractContextManager[Worker]:
    return lease(cancel=cancel, fresh=fresh, module=FAULTY)


def is_alive(pid: int) -> bool:
    """Whether a thread of it runs; a zombie whose parent is slow to collect it does not.

    All threads: the descriptors are theirs together, and close with the last one.
    """
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        states = [(t / "stat").read_text().rpartition(")")[2].split()[0] for t in threads]
    except (FileNotFoundError, ProcessLookupError):
        return has_pid(pid) and is_alive(pid)
    return any(state not in "ZX" for state in states)


def has_pid(pid: int) -> bool:
    """Whether the process exists at all, as a zombie or otherwise."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(holds: Callable[[], bool], seconds: float = 2) -> bool:
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


def wait_until_dead(pid: int, seconds: float = 2) -> bool:
    return wait_until(lambda: not is_alive(pid), seconds)


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - Path would open one more
