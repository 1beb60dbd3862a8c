"""The command line as a program: signals, closed pipes, and how little it loads."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.pipeline.conftest import Ran

    Run = Callable[..., Ran]
    Put = Callable[..., Path]
    Start = Callable[[Sequence[str]], subprocess.Popen[str]]


def stop_while_encoding(started: subprocess.Popen[str], number: int) -> str:
    """Send the signal *number* once pictures are being encoded; what it then says on stderr."""
    assert started.stdout is not None
    for line in started.stdout:
        if json.loads(line).get("stage") == "execute":
            break
    started.send_signal(number)
    _, said = started.communicate(timeout=20)
    return said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(
    number: int, start: Start, put: Put, tmp_path: Path
) -> None:
    put("slow.mp4")

    with start(["normalize", "--json", "slow.mp4"]) as started:
        said = stop_while_encoding(started, number)

    assert started.returncode == 128 + number
    assert said.splitlines() == ["clipready: interrupted; no unfinished file was left behind"]
    assert [path.name for path in tmp_path.iterdir()] == ["slow.mp4"]


def test_what_was_done_before_the_signal_is_told(start: Start, put: Put, tmp_path: Path) -> None:
    put("rewrap.mkv")
    put("slow.mp4")

    with start(["normalize", "--threads", "1", "rewrap.mkv", "slow.mp4"]) as started:
        while not (tmp_path / "rewrap.ready.mp4.receipt.json").exists():
            assert started.poll() is None
        seen: set[Path] = set()
        while not (seen & (now := set(tmp_path.glob(".clipready-*")))):
            assert started.poll() is None
            seen = now
            time.sleep(0.05)  # what is there twice is being encoded
        started.send_signal(signal.SIGINT)
        out, _ = started.communicate(timeout=20)

    assert started.returncode == 130
    assert "rewrap.ready.mp4" in out
    assert "slow" not in out
    assert not list(tmp_path.glob(".clipready-*"))


def test_a_signal_while_it_starts_is_no_traceback(start: Start, put: Put) -> None:
    put("keep.mp4")

    with start(["normalize", "keep.mp4"]) as started:
        while not _catches(started.pid, signal.SIGTERM):
            assert started.poll() is None
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=20)

    assert started.returncode == 130
    assert "Traceback" not in said


def _catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal *number*."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    status = dict(line.split(":", 1) for line in text.splitlines())
    return bool(int(status["SigCgt"], 16) >> (number - 1) & 1)


def test_a_reader_that_goes_away_is_no_traceback(start: Start, put: Put, tmp_path: Path) -> None:
    put("slow.mp4")

    with start(["normalize", "--json", "slow.mp4"]) as started:
        assert started.stdout is not None
        started.stdout.readline()
        started.stdout.close()
        assert started.stderr is not None
        said = started.stderr.read()

    assert started.returncode != 0
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["slow.mp4"]


@pytest.mark.parametrize("module", ["pipeline", "pipeline.cli"])
def test_both_modules_of_the_command_run_it(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "check", "missing.mp4"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 3
    assert done.stderr.startswith("missing.mp4: rejected")


LOADED = """
import sys
sys.argv[1:] = {words}
from pipeline.cli import main
try:
    main()
except SystemExit:
    pass
print(*sorted({names} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "not_loaded"),
    [
        (["--help"], {"av", "rich", "pydantic", "preprocess.worker.client"}),
        (["normalize", "--help"], {"av", "rich", "preprocess.worker.client"}),
        (["plan", "--json", "missing.mp4"], {"av", "rich"}),
        (["plan", "missing.mp4"], {"av", "rich.progress"}),
    ],
)
def test_only_what_is_needed_is_loaded(words: list[str], not_loaded: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(words=words, names=not_loaded)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert done.stderr.splitlines()[-1] == ""
