"""What a call promises: an answer, or a typed error and a dead worker."""

from __future__ import annotations

import errno
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from preprocess.errors import FailureCode, PreparationFailed
from preprocess.worker.client import Budget, OperationError, lease
from preprocess.worker.protocol import MemoryUnclearError
from tests.worker.support import (
    FAULTY,
    MIB,
    budget,
    faulty,
    has_pid,
    is_alive,
    open_fds,
    wait_until_dead,
)

if TYPE_CHECKING:
    from pathlib import Path

    from preprocess.worker.client import Worker


def call(worker: Worker, op: str, **args: object) -> dict[str, object]:
    return worker.call(op, args, budget=budget())


def failing(op: str, limits: Budget | None = None, **args: object) -> PreparationFailed:
    """The failure of an operation, after which the worker must be gone without a trace."""
    with faulty() as worker:
        pid = worker.pid
        with pytest.raises(PreparationFailed) as caught:
            worker.call(op, args, budget=limits or budget())
        dead = not has_pid(pid)
    # After a limit the worker has answered; it is not used again, but may live till the lease ends.
    assert dead or caught.value.code in {
        FailureCode.MEMORY_LIMIT,
        FailureCode.OUTPUT_LIMIT,
        FailureCode.DISK_FULL,
    }
    assert not has_pid(pid)
    return caught.value


def works_again() -> bool:
    with faulty() as worker:
        return call(worker, "echo", n=1)["args"] == {"n": 1}


def test_an_operation_gets_arguments_and_files_and_answers(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "two")]
    for path in paths:
        path.write_text(path.name)
    files = [path.open() for path in paths]
    with faulty() as worker:
        answer = worker.call(
            "echo", {"a": [1, None]}, fds=[file.fileno() for file in files], budget=budget()
        )
    assert answer == {"args": {"a": [1, None]}, "read": ["one", "two"], "pid": worker.pid}
    for file in files:
        file.close()  # they stayed ours


def test_a_typed_error_arrives_as_it_was_raised_and_spares_the_worker() -> None:
    with faulty() as worker:
        with pytest.raises(OperationError) as caught:
            call(worker, "raise_typed")
        assert caught.value.code == "unsupported"
        assert caught.value.message == "this is a spreadsheet"
        assert caught.value.details == {"seen": "\udce9.xls"}
        pid = worker.pid
    with faulty() as worker:
        assert worker.pid == pid


@pytest.mark.parametrize("op", ["raise_untyped", "answer_no_json", "answer_a_lot", "no_such_op"])
def test_an_unforeseen_exception_is_reported_with_its_place_and_costs_the_worker(op: str) -> None:
    with faulty() as worker:
        with pytest.raises(OperationError) as caught:
            call(worker, op)
        assert caught.value.code == "internal"
        assert "Traceback" in str(caught.value.details["traceback"])
        pid = worker.pid
    assert not has_pid(pid)


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ("abort", "killed by SIGABRT"),
        ("segfault", "killed by SIGSEGV"),
        ("leave", "exited with code 0 and no answer"),
    ],
)
def test_a_death_names_the_signal_or_exit_code(op: str, said: str) -> None:
    failure = failing(op)
    assert failure.code is FailureCode.WORKER_DIED
    assert said in failure.message
    assert op in failure.message
    assert works_again()


def test_a_death_brings_the_last_words_without_what_a_terminal_would_obey() -> None:
    detail = failing("abort").detail
    assert detail is not None
    assert r"last words\x1b[31m" in detail
    assert "Fatal Python error: Aborted" in detail


def test_an_exit_code_is_reported() -> None:
    assert "exited with code 7" in failing("leave", code=7).message


def test_a_kill_from_outside_is_reported() -> None:
    with faulty() as worker:
        call(worker, "echo")
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(PreparationFailed, match="killed by SIGKILL") as caught:
            call(worker, "echo")
    assert caught.value.code is FailureCode.WORKER_DIED


@pytest.mark.parametrize("op", ["sleep", "sleep_deaf", "spin", "sleep_with_the_interpreters_lock"])
def test_the_deadline_is_kept_by_killing(op: str) -> None:
    with faulty() as worker:
        call(worker, "echo")
        started = time.monotonic()
        with pytest.raises(PreparationFailed) as caught:
            worker.call(op, {}, budget=budget(deadline_s=0.5))
        assert time.monotonic() - started < 1.5
        assert not has_pid(worker.pid)
    assert caught.value.code is FailureCode.DEADLINE
    assert "allowed: 0.5 s" in caught.value.message
    assert works_again()


def test_the_deadline_covers_the_start() -> None:
    failure = failing("sleep", budget(deadline_s=0.001))
    assert failure.code is FailureCode.DEADLINE


def test_the_deadline_holds_while_progress_comes_in() -> None:
    with faulty() as worker:
        started = time.monotonic()
        with pytest.raises(PreparationFailed) as caught:
            worker.call("report", {"steps": 10_000}, budget=budget(deadline_s=1))
    assert caught.value.code is FailureCode.DEADLINE
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("op", ["sleep_with_child", "leave_child"])
def test_children_of_the_worker_die_with_it(op: str, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with path.open("w+") as file, faulty() as worker:
        call(worker, "echo")
        with pytest.raises(PreparationFailed):
            worker.call(op, {}, fds=[file.fileno()], budget=budget(deadline_s=1.5))
        assert wait_until_dead(int(path.read_text()))


def test_cpu_time_is_bounded_by_death() -> None:
    started = time.monotonic()
    failure = failing("spin", budget(cpu_s=1))
    assert time.monotonic() - started < 10
    assert failure.code is FailureCode.DEADLINE
    assert "1 CPU seconds" in failure.message


def test_cpu_time_counts_from_the_call_on() -> None:
    with faulty() as worker:
        call(worker, "echo")
        for _ in range(2):
            limits = worker.call("limits", {}, budget=budget(cpu_s=3))
            found = limits["limits"]
            used = limits["cpu_used_s"]
            assert isinstance(found, dict)
            assert isinstance(used, float)
            assert used + 2 < found["CPU"][0] <= used + 4


def test_memory_is_bounded() -> None:
    failure = failing("allocate", budget(memory_bytes=512 * MIB))
    assert failure.code is FailureCode.MEMORY_LIMIT
    assert "512 MiB" in failure.message
    assert works_again()


def test_an_earlier_jobs_memory_is_not_blamed_on_this_one() -> None:
    """Only a worker that never had more can say whether a decoder failed for want of memory."""
    with faulty() as worker:
        worker.call("allocate", {"bytes": 700 * MIB}, budget=budget(memory_bytes=4096 * MIB))
        with pytest.raises(MemoryUnclearError):
            worker.call("raise_typed", {}, budget=budget(memory_bytes=800 * MIB))
        assert not worker.is_usable(max_calls=100)
    with faulty() as worker, pytest.raises(OperationError):
        worker.call("raise_typed", {}, budget=budget(memory_bytes=800 * MIB))


def test_threads_without_end_are_bounded_by_memory() -> None:
    assert failing("start_threads").code is FailureCode.MEMORY_LIMIT


def test_less_memory_than_the_worker_has_already_is_still_an_answer() -> None:
    failure = failing("allocate", budget(memory_bytes=MIB), bytes=10 * MIB)
    assert failure.code is FailureCode.MEMORY_LIMIT


def test_the_size_of_a_file_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb") as file, faulty() as worker:
        pid = worker.pid
        with pytest.raises(PreparationFailed) as caught:
            worker.call(
                "write",
                {"mib": 100_000},
                fds=[file.fileno()],
                budget=budget(output_bytes=4 * MIB),
            )
    assert caught.value.code is FailureCode.OUTPUT_LIMIT
    assert str(4 * MIB) in caught.value.message
    assert path.stat().st_size == 4 * MIB
    assert not has_pid(pid)


def test_a_later_call_may_have_more_than_an_earlier_one(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file, faulty() as worker:
        for mib in (1, 3, 9):
            limits = budget(output_bytes=mib * MIB, memory_bytes=(300 + mib) * MIB, cpu_s=mib)
            file.truncate(0)
            answer = worker.call("write", {"mib": mib}, fds=[file.fileno()], budget=limits)
            assert answer == {"written": mib * MIB}
            os.lseek(file.fileno(), 0, os.SEEK_SET)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ENOSPC", FailureCode.DISK_FULL),
        ("EDQUOT", FailureCode.DISK_FULL),
        ("EFBIG", FailureCode.OUTPUT_LIMIT),
        ("ENOMEM", FailureCode.MEMORY_LIMIT),
    ],
)
def test_what_the_system_refuses_is_named_even_inside_another_exception(
    name: str, code: FailureCode
) -> None:
    failure = failing("fail_with_errno", errno=name)
    assert failure.code is code
    assert str(getattr(errno, name)) in str(failure.detail)


def test_other_system_errors_are_left_to_the_operations() -> None:
    with faulty() as worker, pytest.raises(OperationError, match="internal"):
        call(worker, "fail_with_errno", errno="EROFS")


@pytest.mark.parametrize(
    "body",
    ["garbage", "[]", '{"type":"result"}', '{"type":"failure","code":"cancelled","message":""}'],
)
def test_a_malformed_answer_costs_the_worker(body: str) -> None:
    failure = failing("answer_garbage", body=body)
    assert failure.code is FailureCode.WORKER_DIED
    assert "answered answer_garbage with" in failure.message
    assert works_again()


def test_noise_is_a_malformed_answer() -> None:
    failure = failing("answer_noise")
    assert failure.code is FailureCode.WORKER_DIED
    assert "allowed: 8388608" in failure.message


def test_an_oversized_answer_is_not_read() -> None:
    failure = failing("send_a_lot")
    assert failure.code is FailureCode.WORKER_DIED
    assert "100000000 bytes; allowed: 8388608" in failure.message


def test_a_worker_that_hangs_up_and_lives_is_killed() -> None:
    assert "killed by SIGKILL" in failing("hang_up").message


def test_progress_comes_in_order_and_not_too_often() -> None:
    seen: list[float] = []
    with faulty() as worker:
        started = time.monotonic()
        worker.call("report", {"steps": 100}, budget=budget(), on_progress=seen.append)
        elapsed_s = time.monotonic() - started
    assert seen == sorted(seen)
    assert 2 <= len(seen) <= elapsed_s * 10 + 1
    assert all(0 <= value <= 1 for value in seen)


def test_a_word_after_the_last_one_is_not_said() -> None:
    with faulty() as worker:
        call(worker, "report_late")
        time.sleep(0.3)
        seen: list[float] = []
        worker.call("echo", {}, budget=budget(), on_progress=seen.append)
        assert seen == []


class MyError(Exception):
    pass


@pytest.mark.parametrize("error", [MyError, TimeoutError, KeyboardInterrupt])
def test_an_exception_out_of_the_progress_callback_passes_and_costs_the_worker(
    error: type[BaseException],
) -> None:
    def fail(_value: float) -> None:
        raise error

    with faulty() as worker:
        with pytest.raises(error):
            worker.call("report", {}, budget=budget(), on_progress=fail)
        assert not has_pid(worker.pid)
        with pytest.raises(RuntimeError, match="ended"):
            call(worker, "echo")


def test_stderr_of_one_call_is_not_reported_with_the_next() -> None:
    with faulty() as worker:
        call(worker, "chatter")
        with pytest.raises(PreparationFailed) as caught:
            call(worker, "abort")
    assert "warning" not in str(caught.value.detail)


def test_a_worker_that_cannot_start_is_a_death_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with lease(module="preprocess.worker.no_such_module") as worker:
        with pytest.raises(PreparationFailed, match="exited with code 1") as caught:
            call(worker, "echo")
        assert "No module named" in str(caught.value.detail)
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    before = open_fds()
    with pytest.raises(PreparationFailed, match="/nowhere/python"), lease(module=FAULTY):
        pass
    assert open_fds() == before


@pytest.mark.parametrize("name", ["deadline_s", "cpu_s", "memory_bytes", "output_bytes"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_budget_of_nothing_is_a_mistake(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=str(value)):
        budget(**{name: value})


def test_mistakes_in_a_call_leave_the_worker_alone() -> None:
    with faulty() as worker:
        with pytest.raises(ValueError, match="allowed: 16"):
            worker.call("echo", {}, fds=[0] * 17, budget=budget())
        with pytest.raises(ValueError, match="allowed: 8388608"):
            call(worker, "echo", text="x" * 9 * MIB)
        with pytest.raises(TypeError):
            call(worker, "echo", text=b"bytes")
        assert is_alive(worker.pid)
        assert call(worker, "echo")["pid"] == worker.pid


def test_a_large_request_and_a_large_answer_pass() -> None:
    with faulty() as worker:
        text = "x" * 7 * MIB
        assert call(worker, "echo", text=text)["args"] == {"text": text}
