"""A worker that dies, hangs or lies, and work that its caller gives up: ended, and cleaned up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from preprocess import (
    FailureCode,
    Options,
    PreparationFailed,
    Progress,
    Stage,
    Status,
    Target,
    plan_file,
    prepare_file_async,
    probe_file,
    probe_file_async,
    process_file,
    process_file_async,
)
from tests.faults.support import (
    DOORS,
    ENCODE,
    KEEP,
    LONG_ENCODE,
    REWRAP,
    ROOT,
    assert_failed,
    at,
    check_receipt,
    nothing_left,
    only_new,
    prepare,
    process,
)
from tests.worker.support import is_alive, wait_until, wait_until_dead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fixtures.spec import ClipSpec
    from tests.faults.support import Calls, Door

    Copy = Callable[..., Path]

SUSPECT = "The file may be damaged or hostile"


@pytest.mark.parametrize("way", DOORS)
def test_a_worker_that_is_killed_while_it_encodes_is_told(
    way: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    source = clip(ENCODE)
    kill = at(Stage.EXECUTE, lambda: os.kill(calls.pids[-1], signal.SIGKILL))
    with nothing_left(folder):
        outcome = DOORS[way](source, on_progress=kill)
    assert_failed(outcome, "worker_died", "execute", "killed by SIGKILL", "memory", SUSPECT)
    assert wait_until_dead(calls.pids[-1])
    # Another worker takes the next file.
    assert process(clip(REWRAP)).status is Status.PREPARED


@pytest.mark.parametrize("op", ["probe", "execute", "verify", "versions"])
def test_a_worker_may_die_at_any_step(op: str, clip: Copy, folder: Path, calls: Calls) -> None:
    source = clip(REWRAP)
    calls.before[op] = lambda _args: os.kill(calls.pids[-1], signal.SIGKILL)
    with nothing_left(folder):
        outcome = process(source)
    assert_failed(outcome, "worker_died", op, "killed by SIGKILL", SUSPECT)


@pytest.mark.parametrize("op", ["probe", "execute", "verify", "versions"])
def test_a_worker_that_stands_still_is_ended_at_the_deadline(
    op: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    source = clip(ENCODE if op == "execute" else REWRAP)
    process(clip(KEEP))  # starts a worker, so that its start is no part of the deadline
    calls.before[op] = lambda _args: os.kill(calls.pids[-1], signal.SIGSTOP)
    started = time.monotonic()
    with nothing_left(folder):
        outcome = process(source, options=Options(deadline_s=1.5))
    spent_s = time.monotonic() - started
    assert_failed(outcome, "deadline", "the deadline of 1.5 s", op, "stopped", "Allow more time")
    assert 1.4 < spent_s < 10
    assert wait_until_dead(calls.pids[-1])


def test_a_worker_that_stops_in_the_middle_is_ended_at_the_deadline(
    clip: Copy, folder: Path, calls: Calls
) -> None:
    source = clip(LONG_ENCODE)
    stop = at(Stage.EXECUTE, lambda: os.kill(calls.pids[-1], signal.SIGSTOP))
    with nothing_left(folder):
        outcome = process(source, options=Options(deadline_s=2), on_progress=stop)
    assert_failed(outcome, "deadline", "the deadline of 2 s", "execute", "Allow more time")
    assert wait_until_dead(calls.pids[-1])


@pytest.mark.parametrize("way", [process, prepare], ids=["process", "prepare"])
@pytest.mark.parametrize("stage", list(Stage))
def test_a_deadline_holds_for_all_steps_together(
    stage: Stage, way: Door, clip: Copy, folder: Path
) -> None:
    """The caller's own slowness counts: the deadline is for the whole file."""
    source = clip(REWRAP)
    with nothing_left(folder):
        outcome = way(
            source,
            options=Options(deadline_s=1),
            on_progress=at(stage, lambda: time.sleep(1.02)),
        )
    assert_failed(outcome, "deadline", "not done within the deadline of 1 s", "Allow more time")


@pytest.mark.parametrize("deadline_s", [0, -1, 1e-9])
def test_no_time_at_all_is_a_deadline(deadline_s: float, clip: Copy, folder: Path) -> None:
    source = clip(REWRAP)
    with nothing_left(folder):
        outcome = process(source, options=Options(deadline_s=deadline_s))
    assert_failed(outcome, "deadline", f"the deadline of {deadline_s:g} s", "Allow more time")


@pytest.mark.parametrize("deadline_s", [1e9, float("inf")])
def test_all_the_time_in_the_world_is_no_mistake(
    deadline_s: float, clip: Copy, folder: Path
) -> None:
    source = clip(REWRAP)
    with only_new(folder, "rewrap.ready.mp4", "rewrap.ready.mp4.receipt.json"):
        outcome = process(source, options=Options(deadline_s=deadline_s))
    assert outcome.status is Status.PREPARED, outcome.message


def test_measuring_and_planning_have_the_same_ends(clip: Copy, folder: Path, calls: Calls) -> None:
    source = clip(REWRAP)
    with nothing_left(folder):
        for call in (probe_file, plan_file):
            with pytest.raises(PreparationFailed, match=r"of 0 s: .* Allow more") as caught:
                call(source, options=Options(deadline_s=0))
            assert caught.value.code is FailureCode.DEADLINE
        calls.before["probe"] = lambda _args: os.kill(calls.pids[-1], signal.SIGKILL)
        for call in (probe_file, plan_file):
            with pytest.raises(PreparationFailed, match="killed by SIGKILL") as caught:
                call(source)
            assert caught.value.code is FailureCode.WORKER_DIED


def test_a_worker_that_cannot_be_started_is_told(
    clip: Copy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from preprocess.worker.client import shutdown  # noqa: PLC0415 - nothing else here needs it

    source = clip(REWRAP)
    shutdown()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with nothing_left(folder):
        outcome = process(source)
    assert_failed(outcome, "worker_died", "no worker could be started", "Check sys.executable")


# --- lies ------------------------------------------------------------------------------------

NONSENSE: dict[str, object] = {
    "nothing": None,
    "list": [],
    "empty": {},
    "text": "prepared",
    "number": 1e308,
    "deep": {"facts": {"facts": {"facts": []}}},
}


@pytest.mark.parametrize("said", NONSENSE)
@pytest.mark.parametrize(
    ("op", "key"), [("probe", "probed"), ("execute", "outcome"), ("verify", "measured")]
)
def test_an_answer_of_the_wrong_shape_is_told(
    op: str, key: str, said: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    """A worker that was taken over by the file it parsed can say anything."""
    source = clip(REWRAP)

    def lie(_args: dict[str, Any], answer: dict[str, Any]) -> None:
        answer.clear()
        if NONSENSE[said] is not None:
            answer[key] = NONSENSE[said]

    calls.after[op] = lie
    with nothing_left(folder):
        outcome = process(source)
    assert_failed(outcome, "worker_died", f"the worker answered {op} with", SUSPECT)
    assert wait_until_dead(calls.pids[-1])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size_bytes", 10**30),
        ("kind", "hologram"),
        ("container", 7),
        ("index", "upside down"),
        ("duration_s_from_header", "1/0"),
        ("duration_s_from_header", "NaN"),
        ("fault", ["input.corrupt"]),
        ("video", {"stream": -1}),
        ("streams", [1, 2, 3]),
        ("surprise", True),
    ],
)
def test_a_lie_about_one_fact_ends_in_a_typed_outcome(
    field: str, value: object, clip: Copy, calls: Calls
) -> None:
    source = clip(REWRAP)
    calls.after["probe"] = lambda _args, answer: answer["probed"]["facts"].update({field: value})
    outcome = process(source, options=Options(deadline_s=20))
    if outcome.status is Status.FAILED:
        assert_failed(outcome, "worker_died", "the worker answered probe with", SUSPECT)
    else:
        assert outcome.status in {Status.PREPARED, Status.REJECTED}


@pytest.mark.parametrize("fault", ["input.everything", "video.duration", ""])
def test_a_fault_nobody_knows_ends_in_a_typed_outcome(
    fault: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    source = clip(REWRAP)
    calls.after["probe"] = lambda _args, answer: answer["probed"]["facts"].update(fault=fault)
    with nothing_left(folder):
        outcome = process(source)
    assert outcome.status in {Status.FAILED, Status.REJECTED}


# --- given up --------------------------------------------------------------------------------


async def cancelled_at(
    call: Callable[..., Any], stage: Stage, source: Path, **how: object
) -> BaseException | None:
    """Cancel the call as soon as it tells of the stage; how it ended."""
    reached = asyncio.Event()

    def told(progress: Progress) -> None:
        if progress.stage is stage:
            reached.set()

    task = asyncio.ensure_future(call(source, on_progress=told, **how))
    waiting = asyncio.ensure_future(reached.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    task.cancel()
    try:
        await task
    except BaseException as error:  # noqa: BLE001 - what it is, is asked
        return error
    return None


@pytest.mark.parametrize("call", [process_file_async, prepare_file_async])
def test_a_cancelled_encode_is_over_at_once(
    call: Callable[..., Any], clip: Copy, folder: Path, calls: Calls
) -> None:
    source = clip(LONG_ENCODE)
    threads = threading.active_count()
    with nothing_left(folder):
        ended = asyncio.run(cancelled_at(call, Stage.EXECUTE, source))
    assert isinstance(ended, asyncio.CancelledError)
    assert wait_until_dead(calls.pids[-1])
    assert "verify" not in calls.made
    assert wait_until(lambda: threading.active_count() <= threads)
    with only_new(folder, "long-encode.ready.mp4", "long-encode.ready.mp4.receipt.json"):
        assert process(source).status is Status.PREPARED


@pytest.mark.parametrize("spec", [KEEP, REWRAP], ids=lambda spec: spec.name)
@pytest.mark.parametrize("op", ["probe", "execute", "verify", "versions", "publish"])
def test_work_may_be_cancelled_at_any_step(
    op: str,
    spec: ClipSpec,
    clip: Copy,
    folder: Path,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Up to the moment in which the result gets its name."""
    source, target = clip(spec), folder / "target"
    target.mkdir()
    loop = asyncio.new_event_loop()
    task: asyncio.Task[object] | None = None

    def cancel(*_args: object) -> None:
        """Have the task cancelled in its loop, and wait until it has noticed."""
        noticed = threading.Event()

        def act() -> None:
            assert task is not None
            task.cancel()
            loop.call_later(0.02, noticed.set)

        loop.call_soon_threadsafe(act)
        assert noticed.wait(10)

    if op == "publish":
        # The last thing before the names are given: is the input still what it was?
        from preprocess.intake import Intake  # noqa: PLC0415 - nothing else here needs it

        check = Intake.check_unchanged

        def check_and_cancel(taken: Intake) -> None:
            check(taken)
            cancel()

        monkeypatch.setattr(Intake, "check_unchanged", check_and_cancel)
    calls.before[op] = cancel

    async def run() -> None:
        nonlocal task
        task = asyncio.ensure_future(process_file_async(source, target=Target(directory=target)))
        with suppress(asyncio.CancelledError):
            await task

    with nothing_left(folder):
        try:
            loop.run_until_complete(run())
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
        if op in {"probe", "publish"} or spec is REWRAP:
            assert task is not None
            assert task.cancelled()
        else:
            for path in target.iterdir():  # a file that is kept needs no further worker
                path.unlink()


def test_a_cancelled_probe_is_over_at_once(clip: Copy, calls: Calls) -> None:
    source = clip(REWRAP)
    calls.before["probe"] = lambda _args: os.kill(calls.pids[-1], signal.SIGSTOP)

    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await probe_file_async(source)

    asyncio.run(run())
    assert wait_until_dead(calls.pids[-1])


def test_a_call_that_waits_for_its_turn_is_cancelled_at_once(
    clip: Copy, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the threads that the loop keeps for everybody are free meanwhile."""
    monkeypatch.setattr("preprocess.front.CALLS_AT_ONCE", 1)
    source = clip(REWRAP)

    async def run() -> None:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        loop.set_default_executor(ThreadPoolExecutor(1))

        def stop(_args: dict[str, Any]) -> None:
            os.kill(calls.pids[-1], signal.SIGSTOP)
            loop.call_soon_threadsafe(begun.set)

        calls.before["probe"] = stop
        stuck = asyncio.ensure_future(probe_file_async(source))
        async with asyncio.timeout(10):
            await begun.wait()
            assert await asyncio.to_thread(source.exists)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await probe_file_async(source)
        assert calls.made == ["probe"]
        assert not stuck.done()
        stuck.cancel()
        await asyncio.wait([stuck])

    asyncio.run(run())


def test_a_call_whose_turn_never_came_gives_it_on(
    clip: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preprocess.front.CALLS_AT_ONCE", 1)
    source = clip(REWRAP)

    async def run() -> list[Any]:
        waiting = [asyncio.ensure_future(probe_file_async(source)) for _ in range(4)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        return await asyncio.gather(*waiting, return_exceptions=True)

    for _ in range(2):  # each loop has its own turns
        ended = asyncio.run(run())
        assert isinstance(ended.pop(1), asyncio.CancelledError)
        assert [facts.container for facts in ended] == ["matroska"] * 3


def test_many_are_prepared_and_one_is_cancelled(clip: Copy, folder: Path) -> None:
    """Tasks of one loop have workers of their own."""
    sources = [clip(REWRAP, f"{number}.mkv") for number in range(4)]
    names = [f"{number}.ready.mp4" for number in range(4)]
    long = clip(LONG_ENCODE)

    async def run() -> list[Any]:
        tasks = [asyncio.ensure_future(process_file_async(source)) for source in sources]
        ended = await cancelled_at(process_file_async, Stage.EXECUTE, long)
        assert isinstance(ended, asyncio.CancelledError)
        return await asyncio.gather(*tasks)

    with only_new(folder, *names, *(f"{name}.receipt.json" for name in names)):
        reports = asyncio.run(run())
    assert {report.status for report in reports} == {Status.PREPARED}


class Stop(BaseException):
    """What a handler of the caller raises."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, Stop, ValueError])
@pytest.mark.parametrize("stage", list(Stage))
def test_whatever_a_progress_handler_raises_ends_the_work(
    error: type[BaseException], stage: Stage, clip: Copy, folder: Path, calls: Calls
) -> None:
    source = clip(ENCODE if stage is Stage.EXECUTE else REWRAP)

    def told(progress: Progress) -> None:
        if progress.stage is stage:
            raise error

    with nothing_left(folder), pytest.raises(error):
        process_file(source, on_progress=told)
    if stage is Stage.EXECUTE:
        assert wait_until_dead(calls.pids[-1])


@pytest.mark.parametrize("moment", ["os.link", "os.fsync", "os.unlink"])
def test_an_interrupt_while_the_name_is_given_leaves_nothing(
    moment: str, clip: Copy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clip(REWRAP)
    name = moment.removeprefix("os.")
    original = getattr(os, name)
    happened: list[str] = []

    def interrupted(*args: Any, **how: Any) -> None:  # noqa: ANN401
        original(*args, **how)
        if not happened:
            happened.append(name)
            raise KeyboardInterrupt

    monkeypatch.setattr(os, name, interrupted)
    with nothing_left(folder), pytest.raises(KeyboardInterrupt):
        process_file(source)
    assert happened


SCRIPT = """
import sys
from preprocess import Options, process_file
def told(progress):
    if progress.stage.value == "execute":
        print("encoding", flush=True)
process_file(sys.argv[1], options=Options(threads=1), on_progress=told)
"""


def test_ctrl_c_ends_a_program_and_its_worker(clip: Copy, folder: Path) -> None:
    source = clip(LONG_ENCODE)
    with nothing_left(folder):
        program = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(source)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert program.stdout is not None
        assert program.stdout.readline() == "encoding\n"
        workers = children_of(program.pid)
        assert workers
        os.killpg(program.pid, signal.SIGINT)
        _, said = program.communicate(timeout=20)
    assert "KeyboardInterrupt" in said
    assert program.returncode in {-signal.SIGINT, 130, 1}
    for pid in workers:
        assert wait_until_dead(pid)
    assert not is_alive(program.pid)


def children_of(pid: int) -> list[int]:
    """The processes that a process started, of all its threads."""
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names are enough
        with open(f"/proc/{pid}/task/{task}/children") as children:  # noqa: PTH123
            found += map(int, children.read().split())
    return found


def test_a_receipt_is_written_for_each_route(clip: Copy, folder: Path) -> None:
    for spec in (KEEP, REWRAP, ENCODE):
        source, target = clip(spec), folder / spec.name
        target.mkdir()
        outcome = process(source, target=Target(directory=target))
        data = check_receipt(outcome)
        assert data["route"] == spec.name
        assert all(check["ok"] for check in data["checks"])
        assert data["facts"]["size_bytes"] == source.stat().st_size
