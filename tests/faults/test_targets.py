"""Outputs that cannot be written: refused early, or in the last moment without a trace."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from preprocess import Options, Progress, Stage, Status, Target, prepare, publish
from preprocess.errors import FailureCode, PreparationFailed
from preprocess.naming import receipt_path
from tests.faults.support import (
    ENCODE,
    KEEP,
    REWRAP,
    Calls,
    assert_failed,
    check_receipt,
    nothing_left,
    only_new,
    process,
    temporary_of,
    tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from preprocess.prepare import OnProgress
    from tests.faults.support import Door, Outcome

    Copy = Callable[..., Path]

FORCE = Options(force=True)


def at(stage: Stage, act: Callable[[], object]) -> OnProgress:
    """Act when the stage is reached, once."""
    waiting = [act]

    def told(progress: Progress) -> None:
        if progress.stage is stage and waiting:
            waiting.pop()()

    return told


# --- refused before anything is done ---------------------------------------------------------


@pytest.mark.parametrize("spec", [KEEP, REWRAP], ids=lambda spec: spec.name)
@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        ("no/folder/out.mp4", "target_not_writable", ("its folder does not exist", "create it")),
        ("taken.mp4/out.mp4", "target_not_writable", ("its folder is a file", "choose another")),
        ("folder", "target_not_writable", ("a folder has that name", "choose another")),
        ("taken.mp4", "target_exists", ("it exists already", "--force")),
        ("dangling.mp4", "target_exists", ("it exists already", "--force")),
        ("recorded.mp4", "target_exists", ("recorded.mp4.receipt.json", "--force")),
        ("n" * 256, "target_not_writable", ("its name is too long", "shorten it")),
        ("n" * 250, "target_not_writable", ("its name is too long", "shorten it")),
        ("out\0.mp4", "target_not_writable", ("no file can have this name", "choose another")),
        ("out\ud800.mp4", "target_not_writable", ("no file can have this name", "choose another")),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_target_is_looked_at_before_work_begins(
    spec: object,
    output: str,
    code: str,
    words: tuple[str, ...],
    clip: Copy,
    folder: Path,
    calls: Calls,
) -> None:
    source = clip(spec)
    (folder / "folder").mkdir()
    (folder / "taken.mp4").write_bytes(b"mine")
    (folder / "recorded.mp4.receipt.json").write_bytes(b"{}")
    (folder / "dangling.mp4").symlink_to("nowhere")
    with nothing_left(folder):
        outcome = process(source, target=Target(output=folder / output))
    assert_failed(outcome, code, "cannot write", *words)
    assert "execute" not in calls.made
    assert outcome.report is not None
    assert outcome.report.output is None
    assert outcome.report.facts is not None


def test_every_door_refuses_what_exists(door: Door, clip: Copy, folder: Path) -> None:
    source = clip(REWRAP)
    (folder / "rewrap.ready.mp4").write_bytes(b"mine")
    with nothing_left(folder):
        outcome = door(source)
    assert_failed(outcome, "target_exists", "rewrap.ready.mp4", "it exists already", "--force")


def test_force_replaces_what_exists_but_no_folder(clip: Copy, folder: Path) -> None:
    source = clip(REWRAP)
    output = folder / "out.mp4"
    (folder / "elsewhere").write_bytes(b"not mine")
    output.symlink_to("elsewhere")
    receipt_path(output).write_bytes(b"{}")
    outcome = process(source, target=Target(output=output), options=FORCE)
    assert outcome.status is Status.PREPARED, outcome.message
    check_receipt(outcome)
    assert not output.is_symlink()
    assert (folder / "elsewhere").read_bytes() == b"not mine"
    assert set(tree(folder)) == {source.name, "elsewhere", "out.mp4", "out.mp4.receipt.json"}

    (folder / "folder").mkdir()
    with nothing_left(folder):
        outcome = process(source, target=Target(output=folder / "folder"), options=FORCE)
    assert_failed(outcome, "target_not_writable", "a folder has that name", "choose another")


def _same(source: Path, _folder: Path) -> Path:
    return source


def _link(source: Path, folder: Path) -> Path:
    (folder / "link.mp4").symlink_to(source)
    return folder / "link.mp4"


def _hard_link(source: Path, folder: Path) -> Path:
    (folder / "hard.mp4").hardlink_to(source)
    return folder / "hard.mp4"


def _roundabout(source: Path, folder: Path) -> Path:
    (folder / "sub").mkdir()
    return folder / "sub" / ".." / source.name


def _folder_link(source: Path, folder: Path) -> Path:
    (folder / "here").symlink_to(".")
    return folder / "here" / source.name


@pytest.mark.parametrize("force", [False, True], ids=["plain", "force"])
@pytest.mark.parametrize("name", [_same, _link, _hard_link, _roundabout, _folder_link])
@pytest.mark.parametrize("spec", [KEEP, REWRAP], ids=lambda spec: spec.name)
def test_the_input_is_never_the_output(
    spec: object, name: Callable[[Path, Path], Path], force: bool, clip: Copy, folder: Path  # noqa: FBT001
) -> None:
    source = clip(spec)
    output = name(source, folder)
    with nothing_left(folder):
        outcome = process(
            source, target=Target(output=output), options=Options(force=force)
        )
    assert_failed(outcome, "target_is_input", "is the input itself", "choose another output")


def test_the_input_is_never_the_receipt(clip: Copy, folder: Path) -> None:
    source = clip(REWRAP, "out.mp4.receipt.json")
    with nothing_left(folder):
        outcome = process(source, target=Target(output=folder / "out.mp4"), options=FORCE)
    assert_failed(outcome, "target_is_input", "is the input itself", "choose another output")


def test_names_that_collide_end_with_one_result_and_one_refusal(
    clip: Copy, folder: Path
) -> None:
    """Two inputs of one stem, not told apart by whoever called."""
    first, second = clip(REWRAP, "a.mkv"), clip(REWRAP, "a.mov")
    with only_new(folder, "a.ready.mp4", "a.ready.mp4.receipt.json"):
        assert process(first).status is Status.PREPARED
        outcome = process(second)
        assert_failed(outcome, "target_exists", "a.ready.mp4", "--force")


# --- taken while we worked -------------------------------------------------------------------


@pytest.mark.parametrize("spec", [REWRAP, ENCODE], ids=lambda spec: spec.name)
@pytest.mark.parametrize("record", [False, True], ids=["output", "receipt"])
def test_a_name_that_is_taken_meanwhile_is_left_alone(
    spec: object, record: bool, door: Door, clip: Copy, folder: Path  # noqa: FBT001
) -> None:
    if door is not process and spec is ENCODE:
        pytest.skip("one door is enough for the costlier route")
    source, output = clip(spec), folder / "out.mp4"
    taken = receipt_path(output) if record else output
    with only_new(folder, taken.name):
        outcome = door(
            source,
            target=Target(output=output),
            on_progress=at(Stage.EXECUTE, lambda: taken.write_bytes(b"theirs")),
        )
    assert_failed(outcome, "target_exists", taken.name, "it exists already", "--force")
    assert taken.read_bytes() == b"theirs"


@pytest.mark.parametrize("force", [False, True], ids=["plain", "force"])
def test_a_folder_that_takes_the_name_meanwhile_is_left_alone(
    force: bool, clip: Copy, folder: Path  # noqa: FBT001
) -> None:
    source, output = clip(REWRAP), folder / "out.mp4"
    with only_new(folder, output.name):
        outcome = process(
            source,
            target=Target(output=output),
            options=Options(force=force),
            on_progress=at(Stage.EXECUTE, output.mkdir),
        )
    code = "target_not_writable" if force else "target_exists"
    assert_failed(outcome, code, "cannot write out.mp4")
    assert output.is_dir()


def test_an_input_put_under_the_name_meanwhile_survives_force(clip: Copy, folder: Path) -> None:
    """With force the name is ours to replace; the file that had two names keeps the other."""
    source, output = clip(REWRAP), folder / "out.mp4"
    content = source.read_bytes()
    outcome = process(
        source,
        target=Target(output=output),
        options=FORCE,
        on_progress=at(Stage.EXECUTE, lambda: output.hardlink_to(source)),
    )
    assert outcome.status is Status.PREPARED, outcome.message
    assert source.read_bytes() == content
    check_receipt(outcome)


@pytest.mark.parametrize("spec", [KEEP, REWRAP, ENCODE], ids=lambda spec: spec.name)
def test_a_folder_that_goes_away_meanwhile_is_told(
    spec: object, clip: Copy, folder: Path
) -> None:
    source, target = clip(spec), folder / "out"
    target.mkdir()
    moved = folder / "moved"
    stage = Stage.PROBE if spec is KEEP else Stage.VERIFY
    outcome = process(
        source,
        target=Target(directory=target),
        on_progress=at(stage, lambda: target.rename(moved)),
    )
    assert_failed(outcome, "target_not_writable", "cannot write", "does not exist")
    assert not target.exists()
    # What we were not able to remove any more is hidden, and goes with the next run there.
    left = list(moved.iterdir())
    assert all(path.name.startswith(".clipready-") for path in left)
    publish.sweep(moved)
    assert not list(moved.iterdir())


def test_a_temporary_that_somebody_removes_is_told(
    clip: Copy, folder: Path, calls: Calls
) -> None:
    source = clip(REWRAP)
    calls.after["execute"] = lambda args, _answer: temporary_of(args).unlink()
    with nothing_left(folder):
        outcome = process(source)
    assert_failed(outcome, "target_not_writable", "cannot write")


# --- disks without hard links ----------------------------------------------------------------


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """Let a function fail as on a disk that cannot do it."""
    owner, _, function = name.rpartition(".")

    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr({"os": os, "publish": publish}[owner], function, fail)


@pytest.mark.parametrize("exclusive", [True, False], ids=["renameat2", "neither"])
@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK], ids=os.strerror)
def test_a_disk_without_hard_links_gets_its_results_too(
    number: int,
    exclusive: bool,  # noqa: FBT001
    clip: Copy,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, output = clip(REWRAP), folder / "out.mp4"
    refuse(monkeypatch, "os.link", number)
    if not exclusive:
        refuse(monkeypatch, "publish._rename_exclusively", errno.EINVAL)
    with only_new(folder, "out.mp4", "out.mp4.receipt.json"):
        outcome = process(source, target=Target(output=output))
    assert outcome.status is Status.PREPARED, outcome.message
    check_receipt(outcome)
    output.write_bytes(b"theirs")
    receipt_path(output).unlink()
    with nothing_left(folder):
        outcome = process(source, target=Target(output=output))
        assert_failed(outcome, "target_exists", "out.mp4", "--force")
    output.unlink()
    with only_new(folder, "out.mp4"):
        taken = at(Stage.EXECUTE, lambda: output.write_bytes(b"theirs"))
        outcome = process(source, target=Target(output=output), on_progress=taken)
        assert_failed(outcome, "target_exists", "out.mp4", "--force")
    assert output.read_bytes() == b"theirs"


def test_a_reserved_name_is_given_back_when_the_rename_fails(
    clip: Copy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "os.link", errno.EPERM)
    refuse(monkeypatch, "publish._rename_exclusively", errno.ENOSYS)
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: os.stat("/no/such/file"))  # noqa: PTH116
    source = clip(REWRAP)
    with nothing_left(folder):
        assert_failed(process(source), "target_not_writable", "cannot write")


# --- permissions -----------------------------------------------------------------------------


def run_without_privileges(jobs: list[dict[str, object]]) -> list[dict[str, object]]:
    """Prepare in a process that file permissions bind, as they do not bind root."""
    words = ["env", *(["PYTHONPATH=" + os.pathsep.join(map(str, import_path()))])]
    words += [*python(), "-m", "tests.faults.host", "--unprivileged"]
    done = subprocess.run(
        words, input="\n".join(map(json.dumps, jobs)), capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
