"""Small clips, and two ways to run the command line: in this process, and as a program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from fixtures.clips import make_clip
from fixtures.spec import ClipSpec, Container, Gop, Tags, Timing
from pipeline.terminal.commands import app

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "pipeline")

_PLAIN = ClipSpec(name="plain", frames=72, frame_rate=Fraction(24))
SPECS = {
    "keep.mp4": _PLAIN,
    "rewrap.mkv": replace(_PLAIN, container=Container.MATROSKA),
    "located.mov": replace(
        _PLAIN,
        container=Container.MOV,
        tags=Tags(container=(("com.apple.quicktime.make", "Apple"),), free_keys=True),
    ),
    "small.mp4": replace(_PLAIN, width=640, height=360),
    "short.mp4": replace(_PLAIN, frames=24),
    "uneven.mp4": replace(_PLAIN, timing=Timing(dropped=frozenset(range(3, 60, 5)))),
    # Encoding this takes seconds, making it does not.
    "slow.mp4": replace(_PLAIN, frames=360, width=640, height=360, gop=Gop(length=24), sound=None),
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A clip of `SPECS` by its name, made when it is first asked for."""
    folder = tmp_path_factory.mktemp("clips")

    def clip(name: str) -> Path:
        path = folder / name
        return path if path.exists() else make_clip(SPECS[name], path)

    return clip


@pytest.fixture
def put(made: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """Put a clip of `SPECS` into the test's own folder, under any name."""

    def place(name: str, as_name: str | None = None) -> Path:
        path = tmp_path / (as_name or name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(made(name), path))

    return place


@dataclass(frozen=True)
class Ran:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def final(self) -> list[dict[str, Any]]:
        """Those that are the last word about an input."""
        return [record for record in self.records if record["type"] != "progress"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Call the command line in this process and the test's folder, for 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def call(*words: str | Path) -> Ran:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Ran]:
    """Call the command line as a program of its own, in the test's folder."""

    def call(*words: str | Path | bytes) -> Ran:
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            check=False,
            timeout=60,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


def environment(**more: str) -> dict[str, str]:
    """The environment of a program that finds the project."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **more}


@pytest.fixture
def start(tmp_path: Path) -> Callable[[Sequence[str]], subprocess.Popen[str]]:
    """Start the command line as a program and do not wait for it."""

    def call(words: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *words],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return call
