"""An input that somebody writes to while it is read: that is said, whatever it looks like."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from preprocess import Stage, Status, Target
from tests.faults.support import (
    DOORS,
    ENCODE,
    KEEP,
    REWRAP,
    STREAM,
    assert_rejected,
    at,
    check_receipt,
    process,
    tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fixtures.spec import ClipSpec
    from tests.faults.support import Calls

    Copy = Callable[..., Path]


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def overwrite(path: Path) -> None:
    """The same length, but later."""
    with path.open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(bytes(1000))
    later_ns = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(later_ns, later_ns))


def replace(path: Path) -> None:
    copy = path.with_name("another")
    shutil.copyfile(path, copy)
    copy.replace(path)


def remove(path: Path) -> None:
    path.unlink()


def relink(path: Path) -> None:
    """A link that leads elsewhere now."""
    path.unlink()
    path.symlink_to("elsewhere.mp4")


CHANGES = [append, truncate, empty, overwrite, replace, remove, relink]
CHANGED = ("while it was read", "a file that stays as it is", "wait until it is written")


def check_changed(
    source: Path, folder: Path, act: Callable[[Path], None], run: str, **how: object
) -> None:
    """Change the input at a stage; the outcome, and that nothing but the change is left."""
    output = folder / "out"
    output.mkdir()
    stage = how.pop("stage")
    assert isinstance(stage, Stage)
    outcome = DOORS[run](
        source, target=Target(directory=output), on_progress=at(stage, lambda: act(source))
    )
    assert_rejected(outcome, "input.changed", *CHANGED)
    assert list(output.iterdir()) == []
    left = {name for name in tree(folder) if name != "out"}
    assert left <= {source.name, "elsewhere.mp4"}


@pytest.mark.parametrize("act", CHANGES)
@pytest.mark.parametrize("stage", [Stage.PROBE, Stage.EXECUTE, Stage.VERIFY])
@pytest.mark.parametrize("spec", [REWRAP, STREAM], ids=lambda spec: spec.name)
def test_an_input_that_changes_is_rejected(
    spec: ClipSpec, stage: Stage, act: Callable[[Path], None], clip: Copy, folder: Path
) -> None:
    clip(KEEP, "elsewhere.mp4")
    check_changed(clip(spec), folder, act, "process", stage=stage)


@pytest.mark.parametrize("way", DOORS)
def test_every_door_tells_of_a_change(way: str, clip: Copy, folder: Path) -> None:
    check_changed(clip(ENCODE), folder, truncate, way, stage=Stage.EXECUTE)


@pytest.mark.parametrize("act", CHANGES)
def test_a_kept_input_that_changes_is_rejected(
    act: Callable[[Path], None], clip: Copy, folder: Path
) -> None:
    clip(KEEP, "elsewhere.mp4")
    check_changed(clip(KEEP), folder, act, "process", stage=Stage.PROBE)


@pytest.mark.parametrize("act", CHANGES)
def test_a_kept_input_that_changes_while_it_is_copied_is_rejected(
    act: Callable[[Path], None], clip: Copy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from preprocess import publish  # noqa: PLC0415 - nothing else here needs it

    clip(KEEP, "elsewhere.mp4")
    source, output = clip(KEEP), folder / "out"
    output.mkdir()
    copy = publish.copy_into

    def copied(fd: int, target: Path) -> None:
        copy(fd, target)
        act(source)

    monkeypatch.setattr(publish, "copy_into", copied)
    outcome = process(source, target=Target(directory=output))
    assert_rejected(outcome, "input.changed", *CHANGED)
    assert list(output.iterdir()) == []


def test_a_file_that_is_still_being_written_is_not_called_damaged(
    clip: Copy, folder: Path, calls: Calls
) -> None:
    """Half an upload looks truncated, until one notices that it grows."""
    source = clip(KEEP)
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])

    def finish(_args: dict[str, Any]) -> None:
        source.write_bytes(content)

    calls.before["probe"] = finish
    outcome = process(source)
    assert_rejected(outcome, "input.changed", *CHANGED)
    calls.before.clear()
    assert process(source).status is Status.UNCHANGED
    assert [path.name for path in folder.iterdir()] == [source.name]


def test_a_link_that_leads_elsewhere_and_back_is_of_no_account(
    clip: Copy, folder: Path, calls: Calls
) -> None:
    """The bytes are read through one descriptor, whatever the name means meanwhile."""
    real, other = clip(REWRAP, "real.mkv"), clip(STREAM, "other.ts")
    link = folder / "link.mkv"
    link.symlink_to(real.name)
    calm = process(link)
    assert calm.report is not None

    def swap(target: Path) -> Callable[..., None]:
        def act(*_args: object) -> None:
            link.unlink()
            link.symlink_to(target.name)

        return act

    for op in ("probe", "execute", "verify"):
        calls.before[op] = swap(other)
        calls.after[op] = swap(real)
    outcome = process(link, target=Target(output=folder / "out.mp4"))
    assert outcome.status is Status.PREPARED, outcome.message
    assert outcome.report is not None
    assert outcome.report.output_sha256 == calm.report.output_sha256
    check_receipt(outcome)


def test_reading_touches_neither_bytes_nor_times(clip: Copy, folder: Path) -> None:
    """After every kind of end: kept, copied, encoded, rejected, failed."""
    sources = [clip(spec) for spec in (KEEP, REWRAP, STREAM, ENCODE)]
    broken = clip(KEEP, "broken.mp4")
    truncate(broken)
    sources.append(broken)
    before = {name: value for name, value in tree(folder).items()}  # noqa: C416 - a copy
    for source in sources:
        source.chmod(0o444)
    for way in DOORS.values():
        for source in sources:
            output = folder / f"{source.name}.out.mp4"
            way(source, target=Target(output=output))
            way(source, target=Target(output=source))
    after = tree(folder)
    for name, (_mode, *what) in before.items():
        assert list(after[name][1:]) == what
