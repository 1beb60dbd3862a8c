"""Odd homes: many runs in one process, two processes at once, daemons, scripts without a guard."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from hashlib import sha256
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from preprocess import Options, Stage, Status, Target, process_file, process_file_async
from preprocess.worker.client import shutdown
from tests.faults.host import prepare as prepare_job
from tests.faults.support import ENCODE, KEEP, REWRAP, ROOT, Host, at, only_new, process
from tests.worker.support import open_fds, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fixtures.spec import ClipSpec

    Copy = Callable[..., Path]


def my_children() -> set[int]:
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):  # noqa: PTH208 - names are enough
        with open(f"/proc/self/task/{task}/children") as children:  # noqa: PTH123
            found.update(map(int, children.read().split()))
    return found


def test_thirty_runs_leave_no_descriptor_process_or_thread(clip: Copy, folder: Path) -> None:
    """All sorts of ends, one after the other."""
    rewrap, keep, broken = clip(REWRAP), clip(KEEP), clip(KEEP, "broken.mp4")
    os.truncate(broken, 50_000)
    output = folder / "out.mp4"
    target = Target(output=output)

    force = Options(force=True)

    def stop() -> None:
        raise InterruptedError

    def interrupted() -> None:
        told = at(Stage.EXECUTE, stop)
        with pytest.raises(InterruptedError):
            process_file(rewrap, target=target, options=force, on_progress=told)

    ways: list[Callable[[], object]] = [
        lambda: process_file(rewrap, target=target, options=force),
        lambda: process_file(keep),
        lambda: process_file(broken),
        lambda: process_file(folder / "missing.mp4"),
        lambda: process_file(rewrap, target=Target(output=folder / "no" / "out.mp4")),
        lambda: asyncio.run(process_file_async(rewrap, target=target, options=force)),
        interrupted,
    ]
    shutdown()
    before = open_fds(), my_children(), threading.active_count()
    for number in range(30):
        ways[number % len(ways)]()
        assert len(my_children() - before[1]) <= 4
    shutdown()
    assert wait_until(lambda: threading.active_count() == before[2])
    assert (open_fds(), my_children()) == before[:2]
    assert {path.name for path in folder.iterdir()} == {
        *(rewrap.name, keep.name, broken.name, "out.mp4", "out.mp4.receipt.json"),
    }


def test_threads_share_no_worker(clip: Copy, folder: Path) -> None:
    sources = [clip(REWRAP, f"{number}.mkv") for number in range(6)]
    names = [f"{number}.ready.mp4" for number in range(6)]
    ended: list[Status] = []
    with only_new(folder, *names, *(f"{name}.receipt.json" for name in names)):
        threads = [
            threading.Thread(target=lambda s=source: ended.append(process_file(s).status))
            for source in sources
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ended == [Status.PREPARED] * 6


@pytest.mark.parametrize("spec", [REWRAP, ENCODE], ids=lambda spec: spec.name)
def test_of_two_processes_one_wins(spec: ClipSpec, clip: Copy, folder: Path) -> None:
    source, output = clip(spec), folder / "out.mp4"
    with Host() as first, Host() as second:
        for host in (first, second):
            host.prepare(source=folder / "warm.mp4")
        for _ in range(3):
            output.unlink(missing_ok=True)
            output.with_name("out.mp4.receipt.json").unlink(missing_ok=True)
            with only_new(folder, "out.mp4", "out.mp4.receipt.json"):
                for host in (first, second):
                    host.say(source=source, output=output, threads=1)
                answers = [host.hear() for host in (first, second)]
            assert sorted(answer["status"] for answer in answers) == ["failed", "prepared"]
            winner, loser = sorted(answers, key=lambda answer: answer["error"] is not None)
            assert loser["error"]["code"] == "target_exists"
            assert "it exists already" in loser["error"]["message"]
            digest = sha256(output.read_bytes()).hexdigest()
            assert winner["output_sha256"] == digest
            receipt = json.loads(output.with_name("out.mp4.receipt.json").read_bytes())
            assert receipt["output_sha256"] == digest
            assert all(check["ok"] for check in winner["checks"])


def test_two_processes_with_force_leave_a_whole_file(clip: Copy, folder: Path) -> None:
    source, output = clip(REWRAP), folder / "out.mp4"
    output.write_bytes(b"the old one")
    with Host() as first, Host() as second:
        for host in (first, second):
            host.prepare(source=folder / "warm.mp4")
        for host in (first, second):
            host.say(source=source, output=output, force=True, threads=1)
        answers = [host.hear() for host in (first, second)]
    assert [answer["status"] for answer in answers] == ["prepared", "prepared"]
    assert sha256(output.read_bytes()).hexdigest() in {a["output_sha256"] for a in answers}
    assert {path.name for path in folder.iterdir()} == {
        *(source.name, "out.mp4", "out.mp4.receipt.json"),
    }


def test_a_daemonic_process_prepares(clip: Copy, folder: Path) -> None:
    """Daemons of multiprocessing may have no children of multiprocessing."""
    source = clip(REWRAP)
    with only_new(folder, "rewrap.ready.mp4", "rewrap.ready.mp4.receipt.json"):
        daemon = get_context("spawn").Process(
            target=prepare_job, args=({"source": str(source)},), daemon=True
        )
        daemon.start()
        daemon.join(60)
        assert daemon.exitcode == 0
        daemon.close()


SCRIPT = """
import sys
from preprocess import prepare_file
print(prepare_file(sys.argv[1]).path)
"""


def test_a_script_without_a_guard_prepares(clip: Copy, folder: Path) -> None:
    """Nothing imports the caller's script a second time; its folder may hold anything."""
    source = clip(REWRAP)
    for name in ("av.py", "subprocess.py", "preprocess.py"):
        (folder / "scripts").mkdir(exist_ok=True)
        if name == "av.py":
            (folder / "scripts" / name).write_text("raise SystemExit('not the real one')")
    script = folder / "scripts" / "convert.py"
    script.write_text(SCRIPT)
    with only_new(folder, "rewrap.ready.mp4", "rewrap.ready.mp4.receipt.json"):
        done = subprocess.run(
            [sys.executable, "-B", str(script), str(source)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder / "rewrap.ready.mp4")


def test_a_forked_child_has_a_worker_of_its_own(clip: Copy, folder: Path) -> None:
    source = clip(REWRAP)
    assert process(clip(KEEP)).status is Status.UNCHANGED  # there is an idle worker now
    children = my_children()
    script = f"""
import os, sys
from preprocess import process_file
process_file({str(source)!r} + ".missing")
child = os.fork()
if not child:
    report = process_file({str(source)!r})
    os._exit(0 if report.status.value == "prepared" else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    with only_new(folder, "rewrap.ready.mp4", "rewrap.ready.mp4.receipt.json"):
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert my_children() == children
