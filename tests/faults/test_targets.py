"""Outputs that cannot be written: refused early, or in the last moment without a trace."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from preprocess import (
    Options,
    Progress,
    Stage,
    Status,
    Target,
    ladder,
    publish,
    targets_for,
)
from preprocess.naming import receipt_path
from preprocess.worker.client import shutdown
from tests.faults.support import (
    DOORS,
    ENCODE,
    KEEP,
    REWRAP,
    Host,
    Outcome,
    assert_failed,
    at,
    check_receipt,
    nothing_left,
    only_new,
    process,
    temporary_of,
    tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.spec import ClipSpec
    from tests.faults.support import Calls, Door

    Copy = Callable[..., Path]

FORCE = Options(force=True)


# --- refused before anything is done ---------------------------------------------------------


BAD_TARGETS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "no-folder": ("no/folder/out.mp4", "target_not_writable", ("does not exist", "create it")),
    "file-as-folder": ("taken.mp4/out.mp4", "target_not_writable", ("is a file", "choose another")),
    "folder": ("folder.mp4", "target_not_writable", ("a folder has that name", "choose another")),
    "exists": ("taken.mp4", "target_exists", ("it exists already", "--force")),
    "link": ("dangling.mp4", "target_exists", ("it exists already", "--force")),
    "receipt": ("recorded.mp4", "target_exists", ("recorded.mp4.receipt.json", "--force")),
    "long": ("n" * 252 + ".mp4", "target_not_writable", ("its name is too long", "shorten it")),
    "long-receipt": (
        "n" * 246 + ".mp4",
        "target_not_writable",
        ("its name is too long", "shorten it"),
    ),
    "nul": ("out\0.mp4", "target_not_writable", ("no file can have this name", "choose another")),
    "ending": (
        "out.mkv",
        "target_name",
        ("the result is MP4", "out.mkv cannot be its name", "name it out.mp4"),
    ),
    "half": (
        "out\ud800.mp4",
        "target_not_writable",
        ("no file can have this name", "choose another"),
    ),
}


@pytest.mark.parametrize("spec", [KEEP, REWRAP], ids=lambda spec: spec.name)
@pytest.mark.parametrize("name", BAD_TARGETS)
def test_a_target_is_looked_at_before_work_begins(
    spec: ClipSpec, name: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    output, code, words = BAD_TARGETS[name]
    source = clip(spec)
    (folder / "folder.mp4").mkdir()
    (folder / "taken.mp4").write_bytes(b"mine")
    (folder / "recorded.mp4.receipt.json").write_bytes(b"{}")
    (folder / "dangling.mp4").symlink_to("nowhere")
    with nothing_left(folder):
        outcome = process(source, target=Target(output=folder / output))
    assert_failed(outcome, code, *words)
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

    (folder / "folder.mp4").mkdir()
    with nothing_left(folder):
        outcome = process(source, target=Target(output=folder / "folder.mp4"), options=FORCE)
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


@pytest.mark.parametrize("options", [Options(), FORCE], ids=["plain", "force"])
@pytest.mark.parametrize("name", [_same, _link, _hard_link, _roundabout, _folder_link])
@pytest.mark.parametrize("spec", [KEEP, REWRAP], ids=lambda spec: spec.name)
def test_the_input_is_never_the_output(
    spec: ClipSpec,
    name: Callable[[Path, Path], Path],
    options: Options,
    clip: Copy,
    folder: Path,
) -> None:
    source = clip(spec, "in.mp4")
    output = name(source, folder)
    with nothing_left(folder):
        outcome = process(source, target=Target(output=output), options=options)
    assert_failed(outcome, "target_is_input", "is an input of this call", "choose another output")


def test_the_input_is_never_the_receipt(clip: Copy, folder: Path) -> None:
    source = clip(REWRAP, "out.mp4.receipt.json")
    with nothing_left(folder):
        outcome = process(source, target=Target(output=folder / "out.mp4"), options=FORCE)
    assert_failed(outcome, "target_is_input", "is an input of this call", "choose another output")


def test_no_other_input_of_the_call_is_the_output(clip: Copy, folder: Path) -> None:
    source, other = clip(REWRAP, "a.mkv"), clip(KEEP, "a.ready.mp4")
    with nothing_left(folder):
        outcome = process(source, target=Target(other_inputs=(source, other)), options=FORCE)
    assert_failed(outcome, "target_is_input", "is an input of this call", "choose another output")


@pytest.mark.parametrize("name", ["out.mp4", "out.bin"])
def test_a_kept_file_of_a_wrong_name_may_get_a_right_one(
    name: str, clip: Copy, folder: Path
) -> None:
    source = clip(KEEP, "upload.bin")
    with only_new(folder, name, f"{name}.receipt.json"):
        outcome = process(source, target=Target(output=folder / name))
    assert outcome.status is Status.UNCHANGED, outcome.message
    assert (folder / name).read_bytes() == source.read_bytes()
    check_receipt(outcome)


def test_names_of_one_call_are_told_apart_whatever_way_their_folder_is_written() -> None:
    sources = [Path("clips/a.mov"), Path("clips/../clips/a.mkv"), Path("b.mov")]
    assert [target.stem for target in targets_for(sources)] == ["a.mov", "a.mkv", "b"]


def test_names_that_collide_end_with_one_result_and_one_refusal(clip: Copy, folder: Path) -> None:
    """Two inputs of one stem, not told apart by whoever called."""
    first, second = clip(REWRAP, "a.mkv"), clip(REWRAP, "a.mov")
    with only_new(folder, "a.ready.mp4", "a.ready.mp4.receipt.json"):
        assert process(first).status is Status.PREPARED
        outcome = process(second)
        assert_failed(outcome, "target_exists", "a.ready.mp4", "--force")


# --- taken while we worked -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "spec"),
    [*((name, REWRAP) for name in DOORS), ("process", ENCODE)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
@pytest.mark.parametrize("suffix", ["", ".receipt.json"], ids=["output", "receipt"])
def test_a_name_that_is_taken_meanwhile_is_left_alone(
    way: str,
    spec: ClipSpec,
    suffix: str,
    clip: Copy,
    folder: Path,
) -> None:
    source, output = clip(spec), folder / "out.mp4"
    taken = folder / f"out.mp4{suffix}"
    with only_new(folder, taken.name):
        outcome = DOORS[way](
            source,
            target=Target(output=output),
            on_progress=at(Stage.EXECUTE, lambda: taken.write_bytes(b"theirs")),
        )
    assert_failed(outcome, "target_exists", taken.name, "it exists already", "--force")
    assert taken.read_bytes() == b"theirs"


@pytest.mark.parametrize("options", [Options(), FORCE], ids=["plain", "force"])
def test_a_folder_that_takes_the_name_meanwhile_is_left_alone(
    options: Options,
    clip: Copy,
    folder: Path,
) -> None:
    source, output = clip(REWRAP), folder / "out.mp4"
    with only_new(folder, output.name):
        outcome = process(
            source,
            target=Target(output=output),
            options=options,
            on_progress=at(Stage.EXECUTE, output.mkdir),
        )
    code = "target_not_writable" if options.force else "target_exists"
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
    spec: ClipSpec, clip: Copy, folder: Path
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


def test_a_temporary_that_somebody_removes_is_told(clip: Copy, folder: Path, calls: Calls) -> None:
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


@pytest.fixture
def bound() -> Iterator[Host]:
    """A process that file permissions bind, as they do not bind root."""
    with Host("--unprivileged") as host:
        if not host.posture:
            pytest.skip("root cannot give up passing over file permissions here")
        yield host


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """Other permissions for a while."""
    before = path.stat().st_mode
    path.chmod(bits)
    yield
    path.chmod(before)


def said(answer: dict[str, Any]) -> Outcome:
    """The answer of a host as an outcome."""
    error = answer["error"] or {"code": None, "message": ""}
    return Outcome(status=Status(answer["status"]), code=error["code"], message=error["message"])


def test_permissions_are_told(bound: Host, clip: Copy, folder: Path) -> None:
    source, target = clip(REWRAP), folder / "target"
    target.mkdir()
    with mode(source, 0), nothing_left(folder):
        outcome = said(bound.prepare(source=source))
        assert (outcome.status, outcome.code) == (Status.REJECTED, "input.permission")
        for words in ("not readable for this user", "a readable file", "change its permissions"):
            assert words in outcome.message
    refused = ("no permission to write there", "choose another folder")
    for bits in (0o555, 0o600, 0):
        with nothing_left(folder), mode(target, bits):
            for force in (False, True):
                outcome = said(bound.prepare(source=source, directory=target, force=force))
                assert_failed(outcome, "target_not_writable", *refused)
    closed = folder / "closed"
    closed.mkdir()
    inside = closed / "inside.mkv"
    source.rename(inside)
    with nothing_left(folder), mode(closed, 0o600):
        outcome = said(bound.prepare(source=inside, directory=target))
        assert (outcome.status, outcome.code) == (Status.REJECTED, "input.permission")


def test_a_folder_to_write_but_not_to_read_is_good_enough(
    bound: Host, clip: Copy, folder: Path
) -> None:
    source, target = clip(REWRAP), folder / "dropbox"
    target.mkdir()
    with mode(target, 0o300):
        answer = bound.prepare(source=source, directory=target)
    assert said(answer).status is Status.PREPARED, answer
    assert sorted(path.name for path in target.iterdir()) == [
        "rewrap.ready.mp4",
        "rewrap.ready.mp4.receipt.json",
    ]


# --- full disks ------------------------------------------------------------------------------

FULL = ("the disk", "full", "ree some space")
DISK_BYTES = 1 << 20


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A folder on a file system of its own, of a megabyte."""
    if os.geteuid():
        pytest.skip("only root may mount a small file system")
    path = folder / "disk"
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small file system here: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)  # noqa: S607


def leave(disk: Path, room: int) -> None:
    """Fill a disk but for some bytes."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(free - room))


@pytest.mark.parametrize("spec", [KEEP, REWRAP, ENCODE], ids=lambda spec: spec.name)
def test_a_full_disk_leaves_nothing(
    spec: ClipSpec, made: Callable[[ClipSpec], Path], disk: Path
) -> None:
    """Full at the first byte, in the middle, and just before the end."""
    source = made(spec)
    size = source.stat().st_size
    rooms = [0, 4096, size // 3 // 4096 * 4096, size * 9 // 10 // 4096 * 4096]
    for room in rooms if spec is not ENCODE else rooms[1:3]:
        leave(disk, room)
        with nothing_left(disk):
            outcome = process(source, target=Target(directory=disk))
        assert_failed(outcome, "disk_full", *FULL)


@pytest.mark.parametrize("options", [Options(), FORCE], ids=["plain", "force"])
def test_a_disk_too_full_for_the_receipt_leaves_nothing(
    options: Options,
    made: Callable[[ClipSpec], Path],
    disk: Path,
) -> None:
    """The result is whole by then, but there is none without its record."""
    source, output = made(REWRAP), disk / "out.mp4"
    if options.force:
        output.write_bytes(b"the old one")
        receipt_path(output).write_bytes(b"{}")
    filler = disk / "filler"

    def fill() -> None:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass

    with only_new(disk, "filler"):
        outcome = process(
            source,
            target=Target(output=output),
            options=options,
            on_progress=at(Stage.VERIFY, fill),
        )
    assert_failed(outcome, "disk_full", *FULL)


@pytest.mark.parametrize(
    ("limit", "code", "words"),
    [
        ({"output_bytes": 20_000}, "output_limit", ("wrote a file of more than", "20000 bytes")),
        ({"memory_bytes": 64 << 20}, "memory_limit", ("needed more than", "64 MiB", "fewer")),
        ({"memory_bytes": 225 << 20}, "memory_limit", ("needed more than", "225 MiB", "fewer")),
    ],
    ids=["output", "memory", "memory-of-x264"],
)
@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "warm"])
def test_a_budget_that_is_used_up_is_told(
    limit: dict[str, int],
    code: str,
    words: tuple[str, ...],
    warm: bool,  # noqa: FBT001 - a parameter of the test
    clip: Copy,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that has encoded before keeps more than 64 MiB for itself."""
    shutdown()
    if warm:
        process(clip(ENCODE, "before.mp4"), options=Options(threads=1))
    budget = ladder._execute_budget
    monkeypatch.setattr(
        ladder, "_execute_budget", lambda job, plan: replace(budget(job, plan), **limit)
    )
    source = clip(ENCODE)
    with nothing_left(folder):
        outcome = process(source, options=Options(threads=1))
    assert_failed(outcome, code, *words)


def test_a_file_size_limit_of_the_host_is_told(clip: Copy, folder: Path) -> None:
    """RLIMIT_FSIZE holds where the caller writes itself: the copy of a file that is kept."""
    source, target = clip(KEEP), folder / "target"
    target.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def tell(progress: Progress) -> None:
        if progress.stage is Stage.PROBE and progress.fraction == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))

    try:
        with nothing_left(folder):
            outcome = process(source, target=Target(directory=target), on_progress=tell)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_failed(outcome, "output_limit", "cannot write", "take a shorter window")


# --- temporaries -----------------------------------------------------------------------------


def test_only_dead_temporaries_of_ours_are_swept(clip: Copy, folder: Path) -> None:
    kept = [
        ".clipready-notes.txt",
        ".clipready-0123456789abcdef.mp4",
        ".clipready-0123456789abcdeg.tmp",
        ".clipready-0123456789abcdef.tmp.old",
        ".clipready-",
    ]
    for name in kept:
        (folder / name).write_bytes(b"mine")
    (folder / ".clipready-00000000000000d1.tmp").mkdir()
    (folder / ".clipready-00000000000000d2.tmp").symlink_to(kept[0])
    os.mkfifo(folder / ".clipready-00000000000000d3.tmp")
    source = clip(REWRAP)
    with publish.temporary(folder / "another.mp4") as alive:
        dead = folder / ".clipready-0123456789abcdef.tmp"
        dead.write_bytes(b"half a clip")
        before = set(tree(folder)) - {dead.name}
        assert process(source).status is Status.PREPARED
        assert set(tree(folder)) - before == {"rewrap.ready.mp4", "rewrap.ready.mp4.receipt.json"}
        assert alive.exists()
    assert not alive.exists()


def test_an_input_that_looks_like_a_temporary_survives(clip: Copy, folder: Path) -> None:
    source = clip(REWRAP, ".clipready-notes.mkv")
    name = ".clipready-notes.ready.mp4"
    with only_new(folder, name, f"{name}.receipt.json"):
        assert process(source).status is Status.PREPARED


def test_sweeping_never_takes_a_temporary_that_is_being_made(folder: Path) -> None:
    """Between its creation and its lock, another run may sweep."""
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            publish.sweep(folder)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        give_up = time.monotonic() + 1
        made = 0
        while time.monotonic() < give_up:
            with publish.temporary(folder / "out.mp4") as path:
                path.write_bytes(b"work")
                time.sleep(0)
                assert path.read_bytes() == b"work"
                made += 1
    finally:
        stop.set()
        sweeper.join()
    assert made
    assert not list(folder.iterdir())


def test_a_disk_without_locks_is_good_enough(
    clip: Copy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_lock(*_args: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse_lock)
    source = clip(REWRAP)
    with only_new(folder, "rewrap.ready.mp4", "rewrap.ready.mp4.receipt.json"):
        assert process(source).status is Status.PREPARED
