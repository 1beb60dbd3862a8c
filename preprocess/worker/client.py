"""The caller's side of the worker: borrow one, call it, give it back.

    with lease(cancel=cancel) as worker:
        facts = worker.call("probe", {"name": name}, fds=[fd], budget=budget)

A worker is one child process that parses what strangers wrote; a crash, a hang or a bomb there is a
`PreparationFailed` here. This module imports no parser and little else: it is on the way of every
start of the command line.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from preprocess.errors import PreparationFailed
from preprocess.worker import failures
from preprocess.worker.handle import Budget, Cancel, Worker
from preprocess.worker.protocol import OperationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

__all__ = ["Budget", "Cancel", "OperationError", "Worker", "lease", "prestart", "shutdown"]

WORKER_MODULE: Final = "preprocess.worker"
MAX_CALLS: Final = 64
"""Calls after which a worker is replaced: what one hostile file left behind does not live on."""
IDLE_S: Final = 300.0
"""Seconds without work after which a worker is replaced, and ends itself."""

# A worker leaves this much later than the pool stops handing it out: none leaves while being taken.
_IDLE_MARGIN_S: Final = 5.0
# So many calls before a worker is replaced its successor is started, to be ready by then: starting
# takes as long as some hundred of the shortest calls.
_SUCCESSOR_LEAD: Final = 32
# Beyond the cores, idle workers help nobody; four cover a process that mostly waits for disks.
_MAX_IDLE: Final = max(4, os.cpu_count() or 1)


class Pool:
    """Idle workers of this process, the most recently used first."""

    def __init__(
        self, *, max_calls: int = MAX_CALLS, idle_s: float = IDLE_S, max_idle: int = _MAX_IDLE
    ) -> None:
        self._max_calls = max_calls
        self._idle_s = idle_s
        self._max_idle = max_idle
        self._idle: list[Worker] = []
        self._lock = threading.Lock()

    @contextmanager
    def lease(
        self, *, cancel: Cancel | None = None, fresh: bool = False, module: str = WORKER_MODULE
    ) -> Iterator[Worker]:
        """See `lease`, the function."""
        if cancel is not None and cancel.cancelled:
            raise failures.cancelled()
        worker = self._take(module, fresh=fresh)
        try:
            if cancel is not None:
                cancel.attach(worker)
            yield worker
        finally:
            if cancel is not None:
                cancel.detach(worker)
            self._give_back(worker)

    def prestart(self, module: str = WORKER_MODULE) -> None:
        """See `prestart`, the function."""
        with self._lock:
            if any(worker.module == module and not worker.calls for worker in self._idle):
                return
        self._put(Worker(module))

    def shutdown(self) -> None:
        """Kill the idle workers."""
        with self._lock:
            workers, self._idle = self._idle, []
        for worker in workers:
            worker.close()

    def forget(self) -> None:
        """After ``os.fork()``, in the child: the workers are the parent's, and so was the lock."""
        self._lock = threading.Lock()
        self._idle = []

    def _take(self, module: str, *, fresh: bool) -> Worker:
        worker = self._find(module, fresh=fresh)
        if worker is not None:
            worker.rest(None)
        return worker or Worker(module)

    def _find(self, module: str, *, fresh: bool) -> Worker | None:
        """Take a fitting worker out of the idle ones, and drop those that are past their time."""
        with self._lock:
            good = [worker for worker in self._idle if self._is_good(worker)]
            spent = [worker for worker in self._idle if worker not in good]
            fits = [w for w in good if w.module == module and not (fresh and w.calls)]
            self._idle = [worker for worker in good if worker not in fits[-1:]]
        for worker in spent:
            worker.close()
        return fits[-1] if fits else None

    def _is_good(self, worker: Worker) -> bool:
        age_s = time.monotonic() - worker.idle_since
        return age_s < self._idle_s and worker.is_usable(max_calls=self._max_calls)

    def _give_back(self, worker: Worker) -> None:
        if worker.is_usable(max_calls=self._max_calls):
            self._put(worker)
        else:
            worker.close()
        if worker.calls >= self._max_calls - _SUCCESSOR_LEAD:
            with suppress(PreparationFailed):  # the lease that needs it will say so
                self.prestart(worker.module)

    def _put(self, worker: Worker) -> None:
        worker.rest(self._idle_s + _IDLE_MARGIN_S)
        worker.idle_since = time.monotonic()
        with self._lock:
            # Unused ones wait below: what is warm goes first.
            self._idle.insert(len(self._idle) if worker.calls else 0, worker)
            surplus, self._idle = self._idle[: -self._max_idle], self._idle[-self._max_idle :]
        for old in surplus:
            old.close()


_pool = Pool()


def lease(
    *, cancel: Cancel | None = None, fresh: bool = False, module: str = WORKER_MODULE
) -> AbstractContextManager[Worker]:
    """Borrow a worker for the length of a ``with``; ``fresh``: one that has done nothing yet.

    It goes back to the process-wide pool if all its calls ended with an answer; an OperationError
    is an answer. It is replaced after death, deadline, cancellation, a crossed limit, an unforeseen
    exception, `MAX_CALLS` calls, `IDLE_S` idle seconds, or `Worker.retire`. Any number of threads
    may lease at once; each gets its own. Raises PreparationFailed: CANCELLED if ``cancel`` has been
    used already, WORKER_DIED if no process could be started.

    ``module`` is what the child runs; it calls ``preprocess.worker.__main__.main``.
    """
    return _pool.lease(cancel=cancel, fresh=fresh, module=module)


def prestart(module: str = WORKER_MODULE) -> None:
    """Start a worker for later, unless an unused one is idle, and do not wait for it.

    If the system refuses, the lease that needs one will say so.
    """
    with suppress(PreparationFailed):
        _pool.prestart(module)


def shutdown() -> None:
    """Kill the idle workers. Runs at exit by itself; leasing afterwards starts new ones."""
    _pool.shutdown()


atexit.register(shutdown)
os.register_at_fork(after_in_child=_pool.forget)
