"""What the tests of faults share: the four doors, what they said, and that nothing was left."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from fixtures.spec import ClipSpec, Container, Gop, IndexPlace
from preprocess import (
    InputRejected,
    Intent,
    Mode,
    Options,
    PreparationFailed,
    Progress,
    Reason,
    Report,
    Stage,
    Status,
    Target,
    prepare_file,
    prepare_file_async,
    process_file,
    process_file_async,
)
from preprocess.worker.handle import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

    from preprocess.task import OnProgress

EDIT = Intent(mode=Mode.EDIT)
GOP = Gop(length=30, b_frames=2)

# Named for the route they take; each is made once for a run.
KEEP = ClipSpec(name="keep", frames=72, gop=GOP)
KEEP_LAST = ClipSpec(name="keep-last", frames=72, gop=GOP, index=IndexPlace.LAST)
REWRAP = ClipSpec(name="rewrap", frames=72, gop=GOP, container=Container.MATROSKA)
STREAM = ClipSpec(name="stream", frames=72, gop=GOP, container=Container.MPEGTS)
ENCODE = ClipSpec(name="encode", frames=36, frame_rate=Fraction(15), gop=GOP)
LONG_ENCODE = ClipSpec(name="long-encode", frames=150, frame_rate=Fraction(15), sound=None)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a door had to say, however it says it."""

    status: Status
    code: str | None = None
    message: str = ""
    reasons: tuple[Reason, ...] = ()
    report: Report | None = None
    """Absent where the door raises instead."""


class Door(Protocol):
    """One of the four ways in."""

    def __call__(
        self,
        source: str | os.PathLike[str],
        *,
        intent: Intent = ...,
        target: Target = ...,
        options: Options = ...,
        on_progress: OnProgress | None = None,
    ) -> Outcome: ...


def _told(report: Report) -> Outcome:
    error = report.error
    assert (error is None) == (report.status in {Status.UNCHANGED, Status.PREPARED})
    return Outcome(
        status=report.status,
        code=error.code if error else None,
        message=error.message if error else "",
        reasons=report.reasons,
        report=report,
    )


def _raised(call: Callable[[], object]) -> Outcome:
    try:
        prepared: Any = call()
    except InputRejected as error:
        return Outcome(
            status=Status.REJECTED, code=error.code, message=str(error), reasons=error.reasons
        )
    except PreparationFailed as error:
        return Outcome(status=Status.FAILED, code=error.code.value, message=error.message)
    assert prepared.report.output == prepared.path
    return _told(prepared.report)


def process(source: str | os.PathLike[str], **how: Any) -> Outcome:  # noqa: ANN401 - passed on
    """`process_file`."""
    return _told(process_file(source, **how))


def process_async(source: str | os.PathLike[str], **how: Any) -> Outcome:  # noqa: ANN401 - passed on
    """`process_file_async`, from a program that has no event loop yet."""
    return _told(asyncio.run(process_file_async(source, **how)))


def prepare(source: str | os.PathLike[str], **how: Any) -> Outcome:  # noqa: ANN401 - passed on
    """`prepare_file`, its exceptions as outcomes."""
    return _raised(lambda: prepare_file(source, **how))


def prepare_async(source: str | os.PathLike[str], **how: Any) -> Outcome:  # noqa: ANN401 - passed on
    """`prepare_file_async`, its exceptions as outcomes."""
    return _raised(lambda: asyncio.run(prepare_file_async(source, **how)))


DOORS: dict[str, Door] = {
    "process": process,
    "process_async": process_async,
    "prepare": prepare,
    "prepare_async": prepare_async,
}


def assert_rejected(outcome: Outcome, rule: str, *words: str) -> None:
    """The input is to blame, by the rule, and a person learns what is, what may be, what to do."""
    assert (outcome.status, outcome.code) == (Status.REJECTED, rule), outcome.message
    assert outcome.reasons[0].rule == rule
    for reason in outcome.reasons:
        assert reason.measured
        assert reason.limit
        assert reason.fix
        assert reason.sentence() in outcome.message
        for part in (reason.measured, f"allowed: {reason.limit}", reason.fix):
            assert part in outcome.message
    for word in words:
        assert word in outcome.message


def assert_failed(outcome: Outcome, code: str, *words: str) -> None:
    """Our side is to blame, and the message holds the words: what happened and what to do."""
    assert (outcome.status, outcome.code) == (Status.FAILED, code), outcome.message
    assert words
    for word in words:
        assert word in outcome.message


Tree = dict[str, tuple[object, ...]]


def tree(folder: Path) -> Tree:
    """Everything in a folder: kind, inode, times and content."""
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = sha256(path.read_bytes()).hexdigest()
        # A folder's own times change when a temporary comes and goes.
        times = () if path.is_dir() else (status.st_mtime_ns, status.st_nlink, status.st_size)
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_ino, *times, content)
    return found


@contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """Nothing in the folder is new, gone, or other than it was: no output, no temporaries."""
    before = tree(folder)
    yield
    assert tree(folder) == before


@contextmanager
def only_new(folder: Path, *names: str) -> Iterator[None]:
    """These names are new in the folder, and everything else in it is as it was."""
    before = tree(folder)
    yield
    after = tree(folder)
    assert set(after) - set(before) == set(names)
    assert {name: after[name] for name in before} == before


def at(stage: Stage, act: Callable[[], object]) -> OnProgress:
    """Act when the stage is reached, once."""
    waiting = [act]

    def told(progress: Progress) -> None:
        if progress.stage is stage and waiting:
            waiting.pop()()

    return told


@dataclass
class Calls:
    """Looks at, and meddles with, what is asked of workers."""

    before: dict[str, Callable[[dict[str, Any]], None]] = field(default_factory=dict)
    """Called with the arguments before the operation of that name."""
    after: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = field(default_factory=dict)
    """Called with the arguments and the answer, which it may change."""
    pids: list[int] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Calls:
        """Stand between callers and workers until the end of the test."""
        original = Worker.call

        def call(
            worker: Worker,
            op: str,
            args: Mapping[str, object],
            **how: Any,  # noqa: ANN401
        ) -> dict[str, object]:
            self.pids.append(worker.pid)
            self.made.append(op)
            request: dict[str, Any] = dict(args)
            if op in self.before:
                self.before[op](request)
            answer = original(worker, op, request, **how)
            if op in self.after:
                self.after[op](request, answer)
            return answer

        monkeypatch.setattr(Worker, "call", call)
        return self


def temporary_of(args: dict[str, Any]) -> Path:
    """Where an ``execute`` writes."""
    return Path(args["request"]["path"])


IN_ACCESS, IN_OPEN = 0x1, 0x20  # linux/inotify.h


class Watch:
    """Counts how often files are opened or read, by any process (inotify(7))."""

    def __init__(self, *paths: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._fd >= 0
        self._names = {}
        for path in paths:
            number = libc.inotify_add_watch(self._fd, os.fsencode(path), IN_ACCESS | IN_OPEN)
            assert number >= 0
            self._names[number] = path.name

    def seen(self) -> set[str]:
        """The names of those that were opened since the last look."""
        names: set[str] = set()
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return names
            while data:
                number, _, _, length = struct.unpack_from("iIII", data)
                names.add(self._names[number])
                data = data[16 + length :]

    def close(self) -> None:
        os.close(self._fd)


def check_receipt(outcome: Outcome) -> dict[str, Any]:
    """The receipt of a result is JSON, tells its digest, and stands where it is said to stand."""
    report = outcome.report
    assert report is not None
    assert report.output is not None
    assert report.receipt is not None
    assert report.receipt == report.output.with_name(f"{report.output.name}.receipt.json")
    data: dict[str, Any] = json.loads(report.receipt.read_bytes())
    digest = sha256(report.output.read_bytes()).hexdigest()
    assert data["output_sha256"] == digest == report.output_sha256
    assert data["type"] == "receipt"
    assert data["status"] == report.status.value
    assert data["input"] == str(report.input)
    assert data["output"] == str(report.output)
    assert data["error"] is None
    assert data["versions"]["clipready"]
    return data


ROOT = Path(__file__).parents[2]


class Host:
    """A `tests.faults.host`, spoken to a line at a time."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.host", *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self.posture = self.hear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait()

    def say(self, **job: object) -> None:
        """Give it a job."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job, default=str) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Its next answer; nothing if it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {}
        return answer

    def prepare(self, **job: object) -> dict[str, Any]:
        """What becomes of a job."""
        self.say(**job)
        return self.hear()
