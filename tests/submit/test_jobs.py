"""From the request to the clip: one job for one key, whatever goes wrong, and honest words."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from fixtures.clips import make_clip
from fixtures.spec import ClipSpec
from pipeline.errors import (
    Authentication,
    DownloadFailed,
    ErrorCode,
    Expired,
    InvalidMedia,
    JobFailed,
    LedgerError,
    Moderated,
    PipelineError,
    RateLimited,
    StillPending,
    Unavailable,
    UnknownOutcome,
)
from pipeline.ledger import Ledger, State
from pipeline.retry import MAX_TRIES
from tests.submit.faults import CASES, LATER, NAMES, REFUSED, fault
from tests.submit.support import BODY, HOST, KEY, SECRET, Server, Time, engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.jobs import Clip, Job, Jobs


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the provider made."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(ClipSpec(name="clip", frames=12, width=128, height=96), path)
    return path.read_bytes()


@pytest.fixture
def server(clip: bytes) -> Server:
    return Server(clip=clip)


@pytest.fixture
def jobs(tmp_path: Path, server: Server) -> Iterator[Jobs]:
    made = engine(tmp_path / "home", server)
    yield made
    made.ledger.close()


async def submit(jobs: Jobs, key: str = "k", body: dict[str, Any] = BODY) -> Job:
    entry = jobs.ledger.intend(key, fingerprint=f"f-{key}", request=body, cost_usd=0.28)
    return await jobs.post(entry, body)


def submitted(jobs: Jobs, key: str = "k") -> Job:
    return asyncio.run(submit(jobs, key))


def finished(jobs: Jobs, folder: Path, **how: Any) -> Clip:  # noqa: ANN401 - of Job.wait
    async def both() -> Clip:
        job = await submit(jobs)
        return await job.wait(directory=folder, **how)

    return asyncio.run(both())


def state(jobs: Jobs, key: str = "k") -> str:
    return jobs.ledger.get(key).state.value


# --- sending -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_whatever_goes_wrong_there_is_one_job_or_none_and_the_ledger_says_so(
    case: tuple[str, bool], server: Server, jobs: Jobs
) -> None:
    """Once wrong, then right: what may be tried again is, the rest is told and stays told."""
    name, made = case
    server.faults = [fault(name, made=made)]
    try:
        submitted(jobs)
    except (PipelineError, RuntimeError) as error:
        told: Exception | None = error
    else:
        told = None

    if name in LATER:
        assert told is None
        assert (state(jobs), len(server.jobs)) == ("accepted", 1)
    elif name in REFUSED:
        assert isinstance(told, PipelineError)
        assert (state(jobs), len(server.jobs)) == ("failed", 0)
        assert jobs.ledger.get("k").may_be_sent
    else:
        assert isinstance(told, UnknownOutcome | RuntimeError)
        assert (state(jobs), len(server.jobs)) == ("unknown", int(made))

    posts = server.posts
    if state(jobs) == "unknown":
        with pytest.raises(UnknownOutcome):
            submitted(jobs)
        with pytest.raises(UnknownOutcome, match="not sent again by itself"):
            asyncio.run(jobs.existing("k"))
        assert server.posts == posts
    else:
        assert submitted(jobs).key == "k"
    assert len(server.jobs) == 1 or (state(jobs), len(server.jobs)) == ("unknown", 0)


@pytest.mark.parametrize("name", sorted(LATER))
def test_trying_again_has_an_end(name: str, server: Server, jobs: Jobs) -> None:
    server.faults = [fault(name, made=False)] * 99

    with pytest.raises((Unavailable, RateLimited)):
        submitted(jobs)

    assert server.posts == MAX_TRIES
    assert state(jobs) == "failed"
    server.faults = []
    assert submitted(jobs).entry.state is State.ACCEPTED


@pytest.mark.parametrize("name", NAMES)
def test_every_failure_is_told_with_the_key_and_without_secrets(
    name: str, server: Server, jobs: Jobs, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults = [fault(name, made=False)] * 99
    with pytest.raises((PipelineError, RuntimeError)) as caught:
        submitted(jobs)
    chain = ""
    error: BaseException | None = caught.value
    while error is not None:
        chain += f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__

    assert KEY not in chain + str(jobs) + "".join(capsys.readouterr())
    for file in jobs.ledger.path.parent.glob("ledger*"):
        assert KEY.encode() not in file.read_bytes()


def test_a_second_submit_gives_the_first_job(server: Server, jobs: Jobs) -> None:
    first, second = submitted(jobs), submitted(jobs)

    assert first.entry == second.entry
    assert server.posts == 1


def test_of_many_at_once_one_sends(server: Server, jobs: Jobs) -> None:
    async def many() -> list[Job]:
        return await asyncio.gather(*(submit(jobs) for _ in range(10)))

    assert {job.key for job in asyncio.run(many())} == {"k"}
    assert server.posts == 1


def test_different_keys_are_different_jobs(server: Server, jobs: Jobs) -> None:
    submitted(jobs, "a")
    submitted(jobs, "b")

    assert len(server.jobs) == 2


def test_what_is_sent_is_whole_and_what_is_kept_is_not(server: Server, jobs: Jobs) -> None:
    url = f"https://bucket.test/a.mp4?X-Amz-Signature={SECRET}"
    body = {**BODY, "video": url}
    asyncio.run(submit(jobs, body=body))

    assert server.jobs == {"job_0": body}
    assert jobs.ledger.get("k").request == {**BODY, "video": "https://bucket.test/a.mp4?***"}


def test_without_a_key_nothing_is_written_or_sent(tmp_path: Path, server: Server) -> None:
    jobs = engine(tmp_path, server, api_key=None)

    with pytest.raises(Authentication):
        submitted(jobs)

    assert server.requests == []
    assert state(jobs) == "intent"


def test_a_cancelled_submit_has_an_unknown_outcome(tmp_path: Path, server: Server) -> None:
    """The request may be out when the task is told to stop."""
    started = asyncio.Event()

    async def hang(request: httpx.Request) -> httpx.Response:
        server.accept(request)
        started.set()
        await asyncio.sleep(60)
        raise AssertionError

    async def cancel() -> None:
        jobs = engine(tmp_path, hang)
        task = asyncio.create_task(submit(jobs))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert state(jobs) == "unknown"
        with pytest.raises(UnknownOutcome, match="CancelledError"):
            await submit(jobs)

    asyncio.run(cancel())
    assert len(server.jobs) == 1


def test_a_job_that_was_made_is_never_lost_to_a_full_disk(tmp_path: Path, server: Server) -> None:
    """The message has its number, which `existing` takes."""

    class Full(Ledger):
        def move(self, entry: Any, to: State, **more: Any) -> Any:  # noqa: ANN401 - as it is
            if to is State.ACCEPTED and self.full:
                raise LedgerError(ErrorCode.LEDGER_UNUSABLE, "database or disk is full")
            return super().move(entry, to, **more)

        full = True

    ledger = Full(tmp_path)
    jobs = engine(tmp_path, server, ledger=ledger)
    with pytest.raises(LedgerError, match="as its job job_0"):
        submitted(jobs)
    ledger.full = False
    with pytest.raises(UnknownOutcome):
        submitted(jobs)
    job = asyncio.run(jobs.existing("k", job_id="job_0"))

    assert (job.entry.state, job.entry.job_id) == (State.ACCEPTED, "job_0")
    assert len(server.jobs) == 1


def test_a_job_found_in_the_providers_list_settles_an_unknown_outcome(
    server: Server, jobs: Jobs, tmp_path: Path
) -> None:
    server.faults = [fault("read late", made=True)]
    with pytest.raises(UnknownOutcome):
        submitted(jobs)

    async def settle() -> Clip:
        job = await jobs.existing("k", job_id="job_0")
        return await job.wait(directory=tmp_path)

    assert asyncio.run(settle()).path.is_file()


def test_a_forgotten_key_is_sent_anew(server: Server, jobs: Jobs) -> None:
    server.faults = [fault("read late", made=False)]
    with pytest.raises(UnknownOutcome):
        submitted(jobs)
    jobs.ledger.forget("k")

    assert submitted(jobs).entry.state is State.ACCEPTED
    assert len(server.jobs) == 1


def test_what_was_never_sent_cannot_be_resumed(server: Server, jobs: Jobs) -> None:
    jobs.ledger.intend("k", fingerprint="f", request=BODY)

    with pytest.raises(LedgerError, match="never sent") as caught:
        asyncio.run(jobs.existing("k"))
    assert caught.value.code is ErrorCode.LEDGER_NOT_SENT
    assert server.requests == []


def test_one_who_finds_another_sending_waits_for_it(tmp_path: Path, server: Server) -> None:
    """Two processes: here two ledgers of one file."""
    time = Time()
    mine, other = engine(tmp_path, server, time=time), engine(tmp_path, server, time=time)
    entry = other.ledger.intend("k", fingerprint="f-k", request=BODY)

    async def meet() -> Job:
        with other.ledger.sending("k"):
            sent = other.ledger.move(entry, State.SENT, of=[State.INTENT])
            assert sent is not None
            waiting = asyncio.create_task(submit(mine))
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(time.slept) > 5
            assert not waiting.done()
            other.ledger.move(sent, State.ACCEPTED, of=[State.SENT], job_id="j", poll_path="/p")
        return await waiting

    assert asyncio.run(meet()).entry.job_id == "j"
    assert server.posts == 0


def test_waiting_for_another_who_hangs_has_an_end(tmp_path: Path, server: Server) -> None:
    mine, other = engine(tmp_path, server), engine(tmp_path, server)
    entry = other.ledger.intend("k", fingerprint="f-k", request=BODY)
    with other.ledger.sending("k"):
        with pytest.raises(StillPending):
            submitted(mine)
        other.ledger.move(entry, State.SENT, of=[State.INTENT])
        with pytest.raises(StillPending):
            submitted(mine)
        with pytest.raises(StillPending):
            asyncio.run(mine.existing("k"))

    assert server.posts == 0
    with pytest.raises(UnknownOutcome):
        submitted(mine)


# --- waiting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["completed", "succeeded"])
def test_a_job_becomes_a_clip(word: str, server: Server, jobs: Jobs, tmp_path: Path) -> None:
    server.polls = ({"status": "queued"}, {"status": "odd"}, {"status": word})
    seen: list[str] = []

    clip = finished(jobs, tmp_path, on_state=lambda look: seen.append(look.status))

    assert clip.path == tmp_path / "k.mp4"
    assert clip.path.read_bytes() == server.clip
    assert clip.facts.video is not None
    assert (len(clip.facts.video.table.pts), clip.cost_usd) == (12, 0.28)
    assert seen == ["queued", "odd", word]
    assert SECRET in str(clip.url)
    assert SECRET not in repr(clip)
    assert state(jobs) == "downloaded"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["k.mp4"]


def test_a_clip_that_is_here_is_not_fetched_again(
    server: Server, jobs: Jobs, tmp_path: Path
) -> None:
    first = finished(jobs, tmp_path)
    asked = len(server.requests)
    second = finished(jobs, tmp_path / "elsewhere")

    assert (second.path, len(server.requests)) == (first.path, asked)
    assert second.facts == first.facts


def test_one_that_went_away_is_fetched_again(server: Server, jobs: Jobs, tmp_path: Path) -> None:
    finished(jobs, tmp_path).path.unlink()

    assert finished(jobs, tmp_path).path.is_file()
    assert len(server.jobs) == 1


def test_one_that_is_there_but_not_in_the_ledger_is_taken(
    server: Server, jobs: Jobs, tmp_path: Path
) -> None:
    """A run was killed after the rename and before the ledger's last step."""
    (tmp_path / "k.mp4").write_bytes(server.clip)

    assert finished(jobs, tmp_path).path == tmp_path / "k.mp4"
    assert state(jobs) == "downloaded"


def test_no_other_file_of_that_name_is_replaced(server: Server, jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "k.mp4").write_bytes(b"mine")

    with pytest.raises(DownloadFailed) as caught:
        finished(jobs, tmp_path)

    assert caught.value.code is ErrorCode.DOWNLOAD_TARGET
    assert (tmp_path / "k.mp4").read_bytes() == b"mine"
    assert state(jobs) == "done"
    (tmp_path / "k.mp4").unlink()
    assert finished(jobs, tmp_path).path.is_file()
    assert len(server.jobs) == 1


def test_a_wait_ends_with_its_deadline_and_can_be_taken_up(
    server: Server, jobs: Jobs, tmp_path: Path
) -> None:
    server.polls = ({"status": "calibrating"},)
    with pytest.raises(StillPending, match=r"not done after 60 s.*calibrating"):
        finished(jobs, tmp_path, deadline_s=60)
    assert state(jobs) == "accepted"

    server.polls = ({"status": "completed"},)
    assert finished(jobs, tmp_path, deadline_s=0).path.is_file()
    assert len(server.jobs) == 1


def test_polls_are_at_least_five_seconds_apart(server: Server, tmp_path: Path) -> None:
    time = Time()
    server.polls = ({"status": "queued"},) * 20 + ({"status": "completed"},)
    jobs = engine(tmp_path / "home", server, time=time)

    finished(jobs, tmp_path)

    assert len(time.slept) == 20
    assert min(time.slept) >= 5
    assert max(time.slept) <= 3 * 5 * 1.1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "InputImageSensitiveContentDetected", "message": "real person"}, Moderated),
        ({"message": "the video duration must be ≥ 1.8"}, InvalidMedia),
        ({"message": "boom", "code": 500}, JobFailed),
        ("boom", JobFailed),
        (None, JobFailed),
    ],
)
@pytest.mark.parametrize("word", ["failed", "error", "cancelled", "expired"])
def test_a_failed_job_is_told_and_told_again_and_not_sent_again(
    error: object, kind: type[PipelineError], word: str, server: Server, jobs: Jobs, tmp_path: Path
) -> None:
    """Whether a failed job is billed is not known."""
    server.polls = ({"status": word, "error": error},)
    told = []
    for _ in range(2):
        with pytest.raises(kind) as caught:
            finished(jobs, tmp_path)
        told.append(str(caught.value))

    assert told[0] == told[1]
    assert (state(jobs), server.posts) == ("failed", 1)


def test_a_job_that_the_provider_forgot_is_expired_and_not_sent_again(
    server: Server, jobs: Jobs, tmp_path: Path
) -> None:
    submitted(jobs)
    server.jobs.clear()

    with pytest.raises(Expired, match="not sent again"):
        finished(jobs, tmp_path)

    assert (state(jobs), server.posts) == ("accepted", 1)


def test_a_job_that_is_not_known_at_once_is_waited_for(
    server: Server, jobs: Jobs, tmp_path: Path
) -> None:
    submitted(jobs)
    kept, server.jobs = server.jobs, {}

    def known_later(_look: Any) -> None:  # noqa: ANN401 - a JobState
        server.jobs = kept

    assert finished(jobs, tmp_path, on_state=known_later).path.is_file()


def test_trouble_while_waiting_is_waited_out(server: Server, tmp_path: Path) -> None:
    """A paid job is not given up because the way to it is bad for a while."""
    trouble = [
        httpx.Response(500), httpx.Response(429), httpx.Response(200, html="<html>"),
        httpx.Response(200, json=[]),
    ] * 5  # fmt: skip

    async def bad(request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and request.url.host == HOST and trouble:
            if len(trouble) % 3 == 0:
                trouble.pop()
                raise httpx.ReadError("reset")  # noqa: EM101 - of the network
            return trouble.pop()
        return await server(request)

    jobs = engine(tmp_path / "home", bad)

    assert finished(jobs, tmp_path).path.is_file()
    assert trouble == []


def test_a_key_that_is_no_good_any_more_ends_the_wait(server: Server, tmp_path: Path) -> None:
    async def stale(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(401, json={"error": {"code": "invalid_api_key"}})
        return await server(request)

    jobs = engine(tmp_path / "home", stale)
    with pytest.raises(Authentication):
        finished(jobs, tmp_path)

    assert state(jobs) == "accepted"


# --- the clip ------------------------------------------------------------------------------------


def downloads(tmp_path: Path, server: Server, *answers: httpx.Response | Exception) -> Jobs:
    """An engine whose downloads end as *answers*, the last one for ever."""
    steps = list(answers)

    async def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == HOST:
            return await server(request)
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)

    return engine(tmp_path / "home", handler)


@pytest.mark.parametrize(
    "first",
    [httpx.Response(503), httpx.Response(429), httpx.ReadError("reset"), httpx.ConnectError("no")],
    ids=str,
)
def test_a_download_is_tried_again(
    first: httpx.Response | Exception, server: Server, tmp_path: Path
) -> None:
    jobs = downloads(tmp_path, server, first, first, httpx.Response(200, content=server.clip))

    assert finished(jobs, tmp_path).path.read_bytes() == server.clip


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.Response(403), ErrorCode.DOWNLOAD_FAILED),
        (httpx.Response(302, headers={"Location": "https://x.test/"}), ErrorCode.DOWNLOAD_FAILED),
        (httpx.Response(500), ErrorCode.DOWNLOAD_FAILED),
        (httpx.ReadTimeout("late"), ErrorCode.DOWNLOAD_FAILED),
        (httpx.Response(200, html="<html>not here</html>"), ErrorCode.DOWNLOAD_NO_CLIP),
        (httpx.Response(200, content=b""), ErrorCode.DOWNLOAD_NO_CLIP),
    ],
    ids=["403", "redirect", "500", "late", "page", "empty"],
)
def test_what_is_no_clip_is_not_taken_for_one(
    answer: httpx.Response | Exception, code: ErrorCode, server: Server, tmp_path: Path
) -> None:
    jobs = downloads(tmp_path, server, answer)
    with pytest.raises(DownloadFailed, match="resume it") as caught:
        finished(jobs, tmp_path)

    assert caught.value.code is code
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert (state(jobs), server.posts) == ("done", 1)


def test_half_a_clip_is_none(server: Server, tmp_path: Path) -> None:
    half = httpx.Response(200, content=server.clip[: len(server.clip) // 2])
    jobs = downloads(tmp_path, server, half)

    with pytest.raises(DownloadFailed) as caught:
        finished(jobs, tmp_path)
    assert caught.value.code is ErrorCode.DOWNLOAD_NO_CLIP


@pytest.mark.parametrize(
    "url", ["http://cdn.test/a.mp4", "ftp://cdn.test/a", "http://127.0.0.1/a.mp4", "https://"]
)
def test_a_clip_is_fetched_by_https_alone(
    url: str, server: Server, jobs: Jobs, tmp_path: Path
) -> None:
    server.polls = ({"status": "completed", "result": {"url": url}},)

    with pytest.raises(DownloadFailed):
        finished(jobs, tmp_path)
    assert {request.url.host for request in server.requests} == {HOST}


def test_a_job_that_is_done_without_a_clip_can_be_asked_again(
    server: Server, jobs: Jobs, tmp_path: Path
) -> None:
    server.polls = ({"status": "completed", "result": None},)
    with pytest.raises(DownloadFailed, match="names no clip"):
        finished(jobs, tmp_path)

    server.polls = ({"status": "completed"},)
    assert finished(jobs, tmp_path).path.is_file()


def test_the_folder_has_to_be_there(jobs: Jobs, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed) as caught:
        finished(jobs, tmp_path / "nowhere")

    assert caught.value.code is ErrorCode.DOWNLOAD_TARGET


def test_the_signature_of_the_clip_is_not_kept(jobs: Jobs, tmp_path: Path) -> None:
    finished(jobs, tmp_path)
    with sqlite3.connect(jobs.ledger.path) as db:
        dump = "\n".join(db.iterdump())
    db.close()

    assert "downloaded" in dump
    assert SECRET not in dump
