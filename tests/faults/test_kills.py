"""The whole program killed at any moment: its output is there and whole, or not there."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from preprocess import Options, Status, Target, load_profile
from preprocess.naming import receipt_path
from tests import second_reader
from tests.faults.support import ENCODE, REWRAP, Host, process
from tests.worker.support import is_alive, wait_until_dead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fixtures.spec import ClipSpec

OLD = b"the old one"
HIDDEN = ".clipready-"
KILLED = -signal.SIGKILL
HOW = [Options(), Options(force=True)]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """Forks a child for each job, so that no start of Python has to be waited for."""
    with Host("--fork") as started:
        yield started


@pytest.fixture(scope="module")
def whole(
    made: Callable[[ClipSpec], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[ClipSpec], bytes]:
    """What an undisturbed run with one thread writes; the independent reader likes it."""
    results: dict[str, bytes] = {}

    def result(spec: ClipSpec) -> bytes:
        if spec.name not in results:
            output = tmp_path_factory.mktemp("whole") / "out.mp4"
            outcome = process(made(spec), target=Target(output=output), options=Options(threads=1))
            assert outcome.status is Status.PREPARED
            if reading.have_ffmpeg():
                profile = load_profile("seedance-2-0-mini")
                assert second_reader.accept_objections(output, profile) == []
                numbers = reading.frame_numbers(output)
                step = 2 if spec is ENCODE else 1
                assert numbers == [n // step for n in range(72)]
            results[spec.name] = output.read_bytes()
        return results[spec.name]

    return result


def kill_after(host: Host, seconds: float) -> tuple[int, int | None]:
    """Kill the child some time after it was born; its status, and the worker it had by then."""
    pid = host.hear()["pid"]
    time.sleep(seconds)
    if is_alive(pid):
        os.kill(pid, signal.SIGKILL)
    return finish(host)


def finish(host: Host) -> tuple[int, int | None]:
    worker = None
    while True:
        answer = host.hear()
        worker = answer.get("worker", worker)
        if isinstance(answer.get("status"), int):
            return answer["status"], worker


def check_left(
    folder: Path, source: Path, content: bytes, whole: bytes, how: Options
) -> tuple[bool, bool]:
    """All there may be after a kill; whether there is a new output, and a new receipt."""
    output = folder / "out.mp4"
    receipt = receipt_path(output)
    assert source.read_bytes() == content
    names = {path.name for path in folder.iterdir() if not path.name.startswith(HIDDEN)}
    assert names <= {source.name, output.name, receipt.name}
    has_output = output.exists() and output.read_bytes() != OLD
    has_receipt = receipt.exists() and receipt.read_bytes() != OLD
    if has_output:
        assert output.read_bytes() == whole
    if how.force:
        assert output.exists()
        assert receipt.exists()
    if has_receipt:
        # The receipt gets its name last.
        assert json.loads(receipt.read_bytes())["output_sha256"] == sha256(whole).hexdigest()
        assert has_output
    return has_output, has_receipt


def check_next_run(folder: Path, source: Path, whole: bytes) -> None:
    """The next run in the folder sweeps, and gets the same result."""
    outcome = process(
        source,
        target=Target(output=folder / "out.mp4"),
        options=Options(force=True, threads=1),
    )
    assert outcome.status is Status.PREPARED, outcome.message
    assert {path.name for path in folder.iterdir()} == {
        *(source.name, "out.mp4", "out.mp4.receipt.json"),
    }
    assert (folder / "out.mp4").read_bytes() == whole


def give_old(folder: Path) -> None:
    (folder / "out.mp4").write_bytes(OLD)
    (folder / "out.mp4.receipt.json").write_bytes(OLD)


@dataclass(frozen=True)
class Moment:
    """Before or after one of the calls that matter, and what there has to be by then."""

    call: str
    which: int
    when: str
    output: bool = False
    receipt: bool = False


MOMENTS = [
    Moment("open", 1, "after"),
    Moment("fsync", 1, "before"),
    Moment("fsync", 2, "after"),
    Moment("rename", 1, "before"),
    Moment("rename", 1, "after", output=True),
    Moment("rename", 2, "before", output=True),
    Moment("rename", 2, "after", output=True, receipt=True),
    Moment("fsync", 3, "after", output=True, receipt=True),
]


@pytest.mark.parametrize("how", HOW, ids=["plain", "force"])
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda m: f"{m.when}-{m.call}-{m.which}")
def test_a_kill_at_the_worst_moments_leaves_no_partial_file(
    moment: Moment,
    how: Options,
    host: Host,
    clip: Callable[..., Path],
    folder: Path,
    whole: Callable[[ClipSpec], bytes],
) -> None:
    source = clip(REWRAP)
    content = source.read_bytes()
    if how.force:
        give_old(folder)
    call = moment.call
    if call == "rename":
        call = "replace" if how.force else "link"
    job = {"source": source, "output": folder / "out.mp4", "force": how.force, "threads": 1}
    host.say(**job, kill=[call, moment.which, moment.when])
    status, worker = finish(host)
    assert status == KILLED
    assert worker is None or wait_until_dead(worker)
    left = check_left(folder, source, content, whole(REWRAP), how)
    assert left == (moment.output, moment.receipt)
    check_next_run(folder, source, whole(REWRAP))


@pytest.mark.slow
@pytest.mark.parametrize("how", HOW, ids=["plain", "force"])
@pytest.mark.parametrize("spec", [REWRAP, ENCODE], ids=lambda spec: spec.name)
def test_a_kill_at_any_moment_leaves_no_partial_file(
    spec: ClipSpec,
    how: Options,
    host: Host,
    clip: Callable[..., Path],
    folder: Path,
    whole: Callable[[ClipSpec], bytes],
) -> None:
    """Moments from before the worker is there until the result is."""
    source = clip(spec)
    content = source.read_bytes()
    job = {"source": source, "output": folder / "out.mp4", "force": how.force, "threads": 1}
    chance = random.Random(f"{spec.name} {how.force}")  # noqa: S311 - the same each time
    host.say(**job)
    started = time.monotonic()
    assert finish(host)[0] == 0
    usual_s = time.monotonic() - started
    hidden = 0
    for moment in range(5):
        for path in folder.iterdir():
            if path != source:
                path.unlink()
        if how.force:
            give_old(folder)
        host.say(**job)
        status, worker = kill_after(host, usual_s * (moment + chance.random()) / 5)
        assert status in {KILLED, 0}
        assert worker is None or wait_until_dead(worker)
        check_left(folder, source, content, whole(spec), how)
        hidden += any(path.name.startswith(HIDDEN) for path in folder.iterdir())
    assert hidden or spec is REWRAP
    check_next_run(folder, source, whole(spec))
