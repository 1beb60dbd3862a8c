"""Against the simulated provider, over sockets: every fault at every step, kills between steps."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.provider import Behaviour, Effect, Kind, Provider, Step
from pipeline import Client, Clip, LedgerError, PipelineError, Settings, State, UnknownOutcome
from pipeline.ledger import Ledger
from pipeline.pace import Pace
from tests.submit.victim import KEY, REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PATIENCE_S = 0.4
"""For a call; a provider that says nothing for so long is given up."""


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with Provider.running(Behaviour(requests_per_minute=10_000)) as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.reset()
    return running


async def _soon(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.01))


def settings(provider: Provider, home: Path) -> Settings:
    return Settings.model_validate(
        {
            "api_key": provider.key,
            "base_url": provider.base_url,
            "home": home,
            "call_deadline_s": PATIENCE_S,
            "requests_per_minute": 10_000,
            "poll_interval_s": 0.01,
        }
    )


def client(provider: Provider, home: Path) -> Client:
    return Client(settings(provider, home), pace=Pace(sleep=_soon))


def generate(provider: Provider, folder: Path, deadline_s: float = 15) -> Clip:
    async def run() -> Clip:
        async with client(provider, folder / "home") as one:
            job = await one.submit(REQUEST, key=KEY)
            return await job.wait(directory=folder, deadline_s=deadline_s)

    return asyncio.run(run())


def resume(provider: Provider, folder: Path, **how: Any) -> Clip:  # noqa: ANN401 - of resume
    async def run() -> Clip:
        async with client(provider, folder / "home") as one:
            job = await one.resume(KEY, **how)
            return await job.wait(directory=folder, deadline_s=15)

    return asyncio.run(run())


def state(folder: Path) -> State | None:
    ledger = Ledger(folder / "home")
    entry = ledger.find(KEY)
    ledger.close()
    return None if entry is None else entry.state


# --- every fault at every step -------------------------------------------------------------------


def settable(provider: Provider, step: Step, kind: Kind, effect: Effect) -> bool:
    """Whether an honest provider can do that. 429 says that nothing was taken: not with a job."""
    try:
        provider.set_fault(step, kind, effect=effect, delay_s=0.01)
    except ValueError:
        return False
    return (step, kind, effect) != (Step.SUBMIT, Kind.RATE_LIMITED, Effect.DONE)


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("step", [Step.SUBMIT, Step.POLL, Step.DOWNLOAD])
def test_one_job_is_billed_or_none_and_that_is_unknown(
    step: Step, kind: Kind, effect: Effect, provider: Provider, tmp_path: Path
) -> None:
    if not settable(provider, step, kind, effect):
        pytest.skip("no honest provider does that")
    try:
        clip = generate(provider, tmp_path, deadline_s=3 if step is Step.DOWNLOAD else 15)
    except UnknownOutcome:
        assert state(tmp_path) is State.UNKNOWN
        assert len(provider.billed) <= 1
        for again in (generate, resume):
            with pytest.raises(UnknownOutcome):
                again(provider, tmp_path)
        assert len(provider.asked(Step.SUBMIT)) == 1
        assert step is Step.SUBMIT
        if provider.jobs:
            clip = resume(provider, tmp_path, job_id=provider.jobs[0].id)
            assert clip.path.is_file()
        return
    except PipelineError:
        clip = resume(provider, tmp_path)
        assert step is not Step.SUBMIT
    assert state(tmp_path) is State.DOWNLOADED
    assert len(provider.billed) == len(provider.jobs) == 1
    assert clip.path.is_file()
    assert clip.facts.video is not None


def test_a_provider_that_is_not_there_gets_nothing(tmp_path: Path) -> None:
    with Provider.running() as gone:
        pass
    with pytest.raises(PipelineError, match="cannot be reached") as caught:
        generate(gone, tmp_path)

    assert caught.value.code == "unavailable"
    assert state(tmp_path) is State.FAILED


def test_the_rest_of_an_answer_is_not_taken_for_the_next_one(
    provider: Provider, tmp_path: Path
) -> None:
    """A whole second answer on the connection names a job too: the wrong one."""
    provider.set_fault(Step.POLL, Kind.DUPLICATE, times=None)

    async def two() -> list[str | None]:
        async with client(provider, tmp_path / "home") as one:
            first = await one.submit(REQUEST, key="first")
            await first.wait(directory=tmp_path)
            second = await one.submit(REQUEST, key="second")
            await second.wait(directory=tmp_path)
            return [first.entry.job_id, second.entry.job_id]

    assert asyncio.run(two()) == [job.id for job in provider.jobs]


# --- kills ---------------------------------------------------------------------------------------


def victim(provider: Provider, folder: Path, point: str, number: int) -> subprocess.Popen[str]:
    (folder / "home").mkdir(mode=0o700, exist_ok=True)
    words = (provider.base_url, folder / "home", folder, point, number)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.submit.victim", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "EMPIRIOLABS_API_KEY": provider.key},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


# The steps of the ledger: sent, accepted, done, downloaded.
POINTS = [
    *(("before", 1, "intent"), ("after", 1, "sent")),
    *(("before", 2, "sent"), ("after", 2, "accepted")),
    *(("before", 3, "accepted"), ("after", 3, "done")),
    *(("unnamed", 1, "done"), ("named", 1, "done")),
    *(("before", 4, "done"), ("after", 4, "downloaded")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("point", "number", "left"), POINTS)
def test_after_a_kill_between_any_two_steps_nothing_is_paid_twice(
    point: str, number: int, left: str, provider: Provider, tmp_path: Path
) -> None:
    process = victim(provider, tmp_path, point, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, output
    assert state(tmp_path) == left
    made = len(provider.jobs)
    assert made == (left != "intent" and (point, number) != ("after", 1))

    if left == "intent":
        with pytest.raises(LedgerError, match="never sent"):
            resume(provider, tmp_path)
        generate(provider, tmp_path)
    elif left == "sent":
        for again in (resume, generate, generate):
            with pytest.raises(UnknownOutcome):
                again(provider, tmp_path)
        assert (state(tmp_path), len(provider.jobs)) == (State.UNKNOWN, made)
        return
    else:
        resume(provider, tmp_path)
    generate(provider, tmp_path)

    assert state(tmp_path) is State.DOWNLOADED
    assert len(provider.billed) == 1
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == [f"{KEY}.mp4"]


def test_after_a_kill_within_the_request_nothing_is_paid_twice(
    provider: Provider, tmp_path: Path
) -> None:
    provider.set_fault(Step.SUBMIT, Kind.SILENT, effect=Effect.DONE)
    process = victim(provider, tmp_path, "never", 0)
    ends = time.monotonic() + 60
    while not provider.jobs and time.monotonic() < ends:
        time.sleep(0.01)
    process.kill()
    process.communicate()

    for again in (resume, generate):
        with pytest.raises(UnknownOutcome, match="its sender is gone"):
            again(provider, tmp_path)
    assert len(provider.jobs) == 1
    assert resume(provider, tmp_path, job_id=provider.jobs[0].id).path.is_file()


def test_two_processes_with_one_key_make_one_job_and_both_have_the_clip(
    provider: Provider, tmp_path: Path
) -> None:
    both = [victim(provider, tmp_path, "never", 0) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs == ["", ""]
    assert len(provider.jobs) == 1
    assert (tmp_path / f"{KEY}.mp4").is_file()


def test_nothing_that_is_written_or_said_holds_a_secret(provider: Provider, tmp_path: Path) -> None:
    """The key, and the signature of the result's address."""
    process = victim(provider, tmp_path, "never", 0)
    output = process.communicate(timeout=60)[0]
    written = b"".join(
        each.read_bytes() for each in (tmp_path / "home").rglob("*") if each.is_file()
    )
    [download] = provider.asked(Step.DOWNLOAD)
    signature = download.query.partition("signature=")[2]

    assert signature
    assert download.header("authorization") is None
    for secret in (provider.key, signature):
        assert secret.encode() not in written + output.encode()
