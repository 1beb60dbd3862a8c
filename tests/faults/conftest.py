"""Clips made once for a run, and a folder for each test that no fault may leave a trace in."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from fixtures.clips import make_all
from tests.faults.support import DOORS, Calls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fixtures.spec import ClipSpec
    from tests.faults.support import Door


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[ClipSpec], Path]:
    """A function that makes a clip, or gives the one that was made before; not to be changed."""
    folder = tmp_path_factory.getbasetemp()
    if folder.name.startswith("popen-"):  # one of several processes of pytest-xdist
        folder = folder.parent
    folder /= "fault-clips"

    def make(spec: ClipSpec) -> Path:
        return make_all([spec], folder, processes=1)[spec.name]

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where inputs and outputs of one test stand."""
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def clip(made: Callable[[ClipSpec], Path], folder: Path) -> Callable[..., Path]:
    """A function that copies a clip into the folder, under a name of its own if told one."""

    def copy(spec: ClipSpec, name: str | None = None) -> Path:
        source = made(spec)
        return shutil.copyfile(source, folder / (name or source.name))

    return copy


@pytest.fixture(params=list(DOORS.values()), ids=list(DOORS))
def door(request: pytest.FixtureRequest) -> Door:
    """Each of the four ways in."""
    found: Door = request.param
    return found


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """See `Calls`."""
    return Calls().install(monkeypatch)
