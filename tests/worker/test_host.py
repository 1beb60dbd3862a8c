"""The worker and the process that has it: what it inherits, and whose death it follows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.worker.support import FAULTY, ROOT, budget, faulty, is_alive, wait_until_dead

if TYPE_CHECKING:
    from collections.abc import Iterator

PRELUDE = f"""
import os, sys, threading, time
sys.path.append({str(ROOT)!r})
from preprocess.worker.client import Budget, lease, prestart, shutdown
budget = Budget(deadline_s=30, cpu_s=10, memory_bytes=2**30, output_bytes=2**20)
"""


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "script.py"
    path.write_text(PRELUDE + textwrap.dedent(text))
    return path


def run(path: Path, **kwargs: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(path)]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, capture_output=True, text=True, timeout=60, check=False, **kwargs
    )


@pytest.fixture
def host(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A script with a worker that is busy with the operation its first line of input names."""
    path = script(
        tmp_path,
        f"""
        op = input()
        with lease(module={FAULTY!r}) as worker:
            worker.call("echo", {{}}, budget=budget)
            print(worker.pid, flush=True)
            worker.call(op, {{}}, budget=budget)
        """,
    )
    with subprocess.Popen(
        [sys.executable, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        process.kill()


def begin(host: subprocess.Popen[str], op: str) -> int:
    assert host.stdin is not None
    assert host.stdout is not None
    host.stdin.write(op + "\n")
    host.stdin.flush()
    pid = int(host.stdout.readline())
    time.sleep(0.2)
    assert is_alive(pid)
    return pid


@pytest.mark.parametrize("op", ["sleep", "spin", "sleep_deaf", "sleep_with_the_interpreters_lock"])
def test_a_busy_worker_dies_with_a_killed_parent(host: subprocess.Popen[str], op: str) -> None:
    pid = begin(host, op)
    host.send_signal(signal.SIGKILL)
    assert wait_until_dead(pid, 2)


def test_an_interrupt_kills_the_worker_and_goes_on_up(host: subprocess.Popen[str]) -> None:
    pid = begin(host, "sleep_deaf")
    os.killpg(host.pid, signal.SIGINT)  # what a terminal does; the worker is in another session
    _, stderr = host.communicate(timeout=10)
    assert host.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in stderr
    assert not is_alive(pid)


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        f"""
        print("once")
        with lease(module={FAULTY!r}) as worker:
            print(worker.call("echo", {{"a": 1}}, budget=budget)["args"])
        """,
    )
    done = run(path)
    assert done.stderr == ""
    assert done.stdout == "once\n{'a': 1}\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_daemonic_process_may_have_workers(tmp_path: Path, method: str) -> None:
    path = script(
        tmp_path,
        f"""
        import multiprocessing
        def show():
            with lease(module={FAULTY!r}) as worker:
                print(worker.call("echo", {{}}, budget=budget)["pid"], flush=True)
        if __name__ == "__main__":
            show()
            context = multiprocessing.get_context({method!r})
            process = context.Process(target=show, daemon=True)
            process.start()
            process.join()
            show()
        """,
    )
    done = run(path)
    assert done.stderr == ""
    first, inside, again = done.stdout.split()
    assert first == again != inside
    assert wait_until_dead(int(inside))


def test_a_script_named_like_a_parser_is_not_taken_for_it(tmp_path: Path) -> None:
    """The worker imports modules the caller does not; the script's folder must not provide them."""
    (tmp_path / "av.py").write_text("raise SystemExit('the script itself')")
    path = script(
        tmp_path,
        f"""
        with lease(module={FAULTY!r}) as worker:
            print(*worker.call("environment", {{}}, budget=budget)["path"], sep="\\n")
        """,
    )
    paths = run(path).stdout.split("\n")
    parsers = [folder for folder in paths if list(Path(folder).glob("av*"))]
    assert parsers[-1:] == [str(tmp_path)]
    assert len(parsers) > 1


def test_a_process_that_leaves_in_a_hurry_leaves_no_worker(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        f"""
        prestart({FAULTY!r})
        with lease(module={FAULTY!r}) as worker:
            print(worker.pid, flush=True)
            threading.Thread(
                target=worker.call, args=("sleep", {{}}), kwargs={{"budget": budget}}, daemon=True
            ).start()
            time.sleep(0.3)
            os._exit(0)
        """,
    )
    assert wait_until_dead(int(run(path).stdout), 2)


def test_a_normal_end_leaves_no_worker_and_no_warning(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        f"""
        with lease(module={FAULTY!r}) as one, lease(module={FAULTY!r}) as two:
            print(one.pid, two.pid)
        """,
    )
    done = run(path, env={**os.environ, "PYTHONWARNINGS": "always", "PYTHONDEVMODE": "1"})
    assert done.stderr == ""
    assert not any(is_alive(int(pid)) for pid in done.stdout.split())


def test_a_host_with_strange_signals_is_served(tmp_path: Path) -> None:
    """Children collected by the system, a deadly SIGPIPE, a blocked and an ignored SIGXCPU."""
    path = script(
        tmp_path,
        f"""
        import signal
        from preprocess.errors import PreparationFailed
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXCPU])
        tight = Budget(deadline_s=20, cpu_s=1, memory_bytes=2**30, output_bytes=2**20)
        for op in ("leave", "spin", "echo"):
            with lease(module={FAULTY!r}) as worker:
                try:
                    print(worker.call(op, {{}}, budget=tight)["args"])
                except PreparationFailed as failure:
                    print(failure.code)
        with lease(module={FAULTY!r}) as worker:
            worker.call("echo", {{}}, budget=tight)
            os.kill(worker.pid, signal.SIGKILL)
            time.sleep(0.3)
            try:
                worker.call("echo", {{}}, budget=tight)
            except PreparationFailed as failure:
                print(failure.code)
        """,
    )
    started = time.monotonic()
    done = run(path)
    assert done.stderr == ""
    # Of a child that the system collected nobody learns the signal; the rest holds.
    assert done.stdout.split("\n")[0] == "worker_died"
    assert done.stdout.split("\n")[1] in {"worker_died", "deadline"}
    assert done.stdout.split("\n")[2:4] == ["{}", "worker_died"]
    assert time.monotonic() - started < 15


def test_the_callers_side_is_cheap_to_import(tmp_path: Path) -> None:
    """Seen alone: the package around it has its own import contracts."""
    path = tmp_path / "script.py"
    path.write_text(
        textwrap.dedent(
            f"""
            import sys, types
            package = types.ModuleType("preprocess")
            package.__path__ = [{str(ROOT / "preprocess")!r}]
            sys.modules["preprocess"] = package
            import preprocess.worker.client
            print(*sys.modules, sep="\\n")
            """
        )
    )
    modules = set(run(path).stdout.split())
    assert "preprocess.worker.client" in modules
    parsers = {"av", "PIL", "pydantic", "ctypes", "resource", "preprocess.worker.limits"}
    assert not modules & parsers
    assert not modules & {"asyncio", "multiprocessing", "tempfile", "logging", "concurrent"}


def test_a_worker_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_API_KEY", "canary-7f3a")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:canary-7f3a@proxy")
    read, write = os.pipe()
    os.set_inheritable(write, True)  # noqa: FBT003
    with faulty() as worker:
        found = worker.call("environment", {}, budget=budget())
        fds = found["fds"]
        environ = Path(f"/proc/{worker.pid}/environ").read_bytes()
        targets = [str(Path(f"/proc/{worker.pid}/fd/{n}").readlink()) for n in range(3)]
    os.close(read)
    os.close(write)
    assert "canary" not in repr(found)
    assert b"canary" not in environ
    environment = found["environ"]
    assert isinstance(environment, dict)
    assert set(environment) <= {
        "PYTHONPATH", "LC_ALL", "MALLOC_ARENA_MAX", "LD_LIBRARY_PATH", "PYTHONHOME",
    }  # fmt: skip
    assert found["cwd"] == "/"
    # 0 to 2, the socket, the lifeline, and the folder being listed.
    assert isinstance(fds, list)
    assert len(fds) == 6
    assert targets[:2] == ["/dev/null"] * 2
    assert "worker-stderr" in targets[2]


def test_a_worker_finds_modules_where_its_caller_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "relative").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("relative")
    monkeypatch.syspath_prepend("/nowhere/at/all")
    with faulty() as worker:
        path = worker.call("environment", {}, budget=budget())["path"]
    assert isinstance(path, list)
    assert str(tmp_path / "relative") in path
    assert "/nowhere/at/all" not in path
    assert "" not in path
    assert str(ROOT) in path


def test_a_worker_puts_the_limits_on_itself() -> None:
    with faulty() as worker:
        found = worker.call("limits", {}, budget=budget(memory_bytes=2**30, output_bytes=12345))
        bounds = found["limits"]
        assert isinstance(bounds, dict)
        assert bounds["CORE"] == [0, 0]
        assert bounds["NOFILE"] == [64, 64]
        assert bounds["AS"][0] == 2**30
        assert bounds["FSIZE"][0] == 12345
        assert found["no_new_privileges"] == "1"
        assert found["dumpable"] == 0
        assert found["session"] == found["group"] == worker.pid
        assert set(worker.posture) == {
            "process", "no_core", "few_descriptors", "no_new_privileges", "not_dumpable",
            "watched_by_thread", "watched_by_kernel",
        }  # fmt: skip


def test_the_thread_alone_also_follows_the_parent(tmp_path: Path) -> None:
    """On systems without signal-driven I/O there is only the thread."""
    path = tmp_path / "watcher.py"
    path.write_text(
        textwrap.dedent(
            f"""
            import sys, threading
            sys.path.append({str(ROOT)!r})
            from preprocess.worker import limits
            sys.platform = "other"
            print(limits.die_with_parent(0), flush=True)
            while True:
                pass
            """
        )
    )
    with subprocess.Popen(
        [sys.executable, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "['watched_by_thread']\n"
        process.stdin.close()
        assert process.wait(5) == -signal.SIGKILL
