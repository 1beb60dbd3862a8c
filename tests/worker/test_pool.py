"""Who gets which worker: reuse, retirement, ageing, and many callers at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from preprocess.errors import FailureCode, PreparationFailed
from preprocess.worker.client import Cancel, Pool, lease, prestart, shutdown
from tests.worker.support import (
    FAULTY,
    budget,
    faulty,
    has_pid,
    is_alive,
    open_fds,
    wait_until_dead,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preprocess.worker.client import Worker


def pid_of(worker: Worker) -> object:
    return worker.call("echo", {}, budget=budget())["pid"]


def next_pid() -> object:
    with faulty() as worker:
        return pid_of(worker)


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A small pool."""
    pool = Pool(max_calls=3, max_idle=2)
    yield pool
    pool.shutdown()


def test_a_worker_is_used_again() -> None:
    assert next_pid() == next_pid()


def test_a_retired_worker_is_not_used_again() -> None:
    with faulty() as worker:
        pid = pid_of(worker)
        worker.retire()
        assert pid_of(worker) == pid
    assert not has_pid(worker.pid)
    assert next_pid() != pid


def test_a_fresh_worker_has_done_nothing_yet() -> None:
    first = next_pid()
    with faulty(fresh=True) as worker:
        assert worker.calls == 0
        second = pid_of(worker)
    assert second != first
    assert next_pid() in {first, second}


def test_two_leases_have_two_workers() -> None:
    with faulty() as one, faulty() as two:
        assert pid_of(one) != pid_of(two)


def test_an_exception_in_the_lease_spares_a_worker_that_did_nothing_wrong() -> None:
    pid = next_pid()
    with pytest.raises(ZeroDivisionError), faulty():
        _ = 1 / 0
    assert next_pid() == pid


def test_a_worker_is_replaced_after_its_share_of_calls(pool: Pool) -> None:
    pids = []
    for _ in range(4):
        with pool.lease(module=FAULTY) as worker:
            pids.append(pid_of(worker))
    assert pids[0] == pids[1] == pids[2] != pids[3]
    assert isinstance(pids[0], int)
    assert not has_pid(pids[0])


def test_a_worker_that_was_idle_for_long_is_replaced() -> None:
    pool = Pool(idle_s=0.3)
    with pool.lease(module=FAULTY) as worker:
        pid = pid_of(worker)
    time.sleep(0.4)
    with pool.lease(module=FAULTY) as other:
        assert pid_of(other) != pid
    assert not has_pid(worker.pid)
    pool.shutdown()


def test_a_worker_that_nobody_wants_ends_by_itself() -> None:
    with faulty() as worker:
        pid_of(worker)
        worker.rest(0.1)
        assert wait_until_dead(worker.pid)


def test_a_worker_that_is_wanted_again_stays() -> None:
    with faulty() as worker:
        worker.rest(0.5)
        worker.rest(None)
        time.sleep(0.8)
        pid_of(worker)


def test_no_more_workers_are_kept_than_can_be_of_use(pool: Pool) -> None:
    with (
        pool.lease(module=FAULTY) as one,
        pool.lease(module=FAULTY) as two,
        pool.lease(module=FAULTY) as three,
    ):
        pids = [worker.pid for worker in (one, two, three)]
    assert sum(has_pid(pid) for pid in pids) == 2


def test_an_idle_worker_that_died_is_not_handed_out() -> None:
    with faulty() as worker:
        pid_of(worker)
    os.kill(worker.pid, signal.SIGKILL)
    assert wait_until_dead(worker.pid)
    assert next_pid() != worker.pid
    assert not has_pid(worker.pid)


def test_prestart_starts_one_worker_and_the_lease_gets_it() -> None:
    prestart(FAULTY)
    prestart(FAULTY)
    with faulty(fresh=True) as worker:
        assert worker.calls == 0
        with faulty(fresh=True) as other:
            assert other.pid > worker.pid
    shutdown()
    assert not has_pid(worker.pid)
    assert not has_pid(other.pid)


def test_prestart_leaves_complaints_to_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    prestart(FAULTY)


def test_shutdown_collects_the_idle_and_leasing_goes_on() -> None:
    pid = next_pid()
    shutdown()
    assert isinstance(pid, int)
    assert not has_pid(pid)
    assert next_pid() != pid


def test_many_calls_leave_no_descriptors() -> None:
    with faulty() as worker:
        pid_of(worker)
        before = open_fds()
        inside = worker.call("environment", {}, budget=budget())["fds"]
        with Path(__file__).open("rb") as file:
            for _ in range(50):
                worker.call("echo", {}, fds=[file.fileno()] * 3, budget=budget())
        assert open_fds() == before
        assert worker.call("environment", {}, budget=budget())["fds"] == inside


def test_many_deaths_leave_no_descriptors_and_no_zombies() -> None:
    next_pid()
    shutdown()
    before = open_fds()
    for _ in range(10):
        with faulty() as worker, pytest.raises(PreparationFailed):
            worker.call("leave", {}, budget=budget())
        assert not has_pid(worker.pid)
    assert open_fds() == before


def test_every_thread_has_its_own_worker() -> None:
    at_once = threading.Barrier(8)

    def use(_number: int) -> object:
        with faulty() as worker:
            at_once.wait(20)
            return pid_of(worker)

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(use, range(8)))) == 8


def test_threads_may_lease_and_fail_in_any_order() -> None:
    def use(number: int) -> bool:
        with faulty() as worker:
            if number % 5:
                return worker.call("echo", {"n": number}, budget=budget())["args"] == {"n": number}
            with pytest.raises(PreparationFailed):
                worker.call("abort", {}, budget=budget())
            return True

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(use, range(60)))


def test_a_worker_outlives_the_thread_that_started_it() -> None:
    pids: list[object] = []
    thread = threading.Thread(target=lambda: pids.append(next_pid()))
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert next_pid() == pids[0]


def test_one_worker_serves_one_call_at_a_time() -> None:
    with faulty() as worker, ThreadPoolExecutor(1) as threads:
        slow = threads.submit(worker.call, "sleep", {"seconds": 0.5}, budget=budget())
        time.sleep(0.2)
        with pytest.raises(RuntimeError, match="busy"):
            pid_of(worker)
        assert slow.result() == {}


def test_cancelling_ends_a_call_at_once() -> None:
    cancel = Cancel()
    with faulty(cancel=cancel) as worker:
        pid_of(worker)
        threading.Timer(0.2, cancel.cancel).start()
        started = time.monotonic()
        with pytest.raises(PreparationFailed) as caught:
            worker.call("sleep", {}, budget=budget())
        assert time.monotonic() - started < 1.5
        with pytest.raises(PreparationFailed):
            pid_of(worker)
    assert caught.value.code is FailureCode.CANCELLED
    assert cancel.cancelled
    assert not has_pid(worker.pid)


def test_cancelling_between_two_calls_ends_the_next() -> None:
    cancel = Cancel()
    with faulty(cancel=cancel) as worker:
        pid_of(worker)
        cancel.cancel()
        with pytest.raises(PreparationFailed) as caught:
            pid_of(worker)
    assert caught.value.code is FailureCode.CANCELLED


def test_what_is_cancelled_already_is_not_begun() -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(PreparationFailed) as caught, faulty(cancel=cancel):
        pass
    assert caught.value.code is FailureCode.CANCELLED


def test_cancelling_after_the_lease_spares_the_worker() -> None:
    cancel = Cancel()
    with faulty(cancel=cancel) as worker:
        pid = pid_of(worker)
    cancel.cancel()
    assert next_pid() == pid


def test_one_token_stops_several_workers() -> None:
    cancel = Cancel()

    def use(_number: int) -> FailureCode:
        with faulty(cancel=cancel) as worker, pytest.raises(PreparationFailed) as caught:
            worker.call("spin", {}, budget=budget())
        return caught.value.code

    with ThreadPoolExecutor(3) as threads:
        codes = threads.map(use, range(3))
        time.sleep(0.5)
        cancel.cancel()
        assert set(codes) == {FailureCode.CANCELLED}


def test_a_cancelled_task_kills_its_worker() -> None:
    """The way the asynchronous front door does it: the call in a thread, the token for the task."""
    cancel = Cancel()
    pids: list[int] = []

    def work() -> None:
        with faulty(cancel=cancel) as worker:
            pids.append(worker.pid)
            worker.call("sleep", {}, budget=budget())

    async def main() -> None:
        thread = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            await asyncio.wait_for(asyncio.shield(thread), 0.5)
        except TimeoutError:
            cancel.cancel()
        with pytest.raises(PreparationFailed, match="cancelled"):
            await thread

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 3
    assert not has_pid(pids[0])


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # Python 3.12 on
def test_a_forked_child_forgets_the_pool_and_leaves_its_parents_workers_alone() -> None:
    with faulty() as idle:
        pid_of(idle)
    cancel = Cancel()
    with faulty(cancel=cancel), faulty() as leased:
        pid = pid_of(leased)
        child = os.fork()
        if child == 0:
            try:
                _try_to_harm(leased, cancel, parents={pid, idle.pid})
            except BaseException:  # noqa: BLE001 - or there would be two test runs
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert pid_of(leased) == pid


def _try_to_harm(leased: Worker, cancel: Cancel, parents: set[object]) -> None:
    leased.kill()
    cancel.cancel()
    leased.close()
    with pytest.raises(RuntimeError, match=r"os\.fork"):
        pid_of(leased)
    assert next_pid() not in parents
    shutdown()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # Python 3.12 on
def test_forking_while_others_start_workers_keeps_no_worker_alive() -> None:
    """A fork holds no copy of a lifeline, so that the parent's death reaches the workers."""
    children = []
    with ThreadPoolExecutor(3) as threads:
        started = [threads.submit(next_pid) for _ in range(12)]
        for _ in range(12):
            child = os.fork()
            if child == 0:
                os._exit(_count_copies())
            children.append(child)
        assert all(started_one.result() for started_one in started)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 12


def _count_copies() -> int:
    """Count this process's descriptors that belong to workers."""
    links = [path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sum("worker-stderr" in str(link.readlink()) for link in links)


def test_a_lease_of_the_product_is_of_the_products_module() -> None:
    with lease() as worker:
        assert worker.module == "preprocess.worker"
        assert is_alive(worker.pid)
