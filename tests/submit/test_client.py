"""The client, by both of its faces: what a request becomes, and what is refused before that."""

from __future__ import annotations

import asyncio
import inspect
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest

import pipeline
from fixtures.clips import make_clip
from fixtures.spec import ClipSpec
from pipeline import (
    Client,
    Clip,
    CostTooHigh,
    ErrorCode,
    GenerationRequest,
    Job,
    Ledger,
    LedgerError,
    Quote,
    RequestRejected,
    Settings,
    State,
    StoreError,
    SyncClient,
    SyncJob,
    UnknownOutcome,
)
from pipeline.stores.content import Stored
from tests.submit.faults import fault
from tests.submit.support import KEY, SECRET, Server, Time, settings

if TYPE_CHECKING:
    from pipeline.stores.content import OnBytes
    from preprocess import Prepared

ROOT = Path(__file__).parents[2]
SNOW = GenerationRequest(prompt="make it snow", duration=4)
FACES: tuple[Literal["async", "sync"], ...] = ("async", "sync")


class Shelf:
    """A store whose links are signed."""

    def __init__(self) -> None:
        self.put_there: list[Prepared] = []

    async def put(self, prepared: Prepared, *, on_progress: OnBytes | None = None) -> Stored:
        assert on_progress is not None
        on_progress(1, 1)
        self.put_there.append(prepared)
        return Stored(
            url=f"https://bucket.test/{prepared.sha256}.mp4?X-Amz-Signature={SECRET}",
            expires_at=None,
            key=f"{prepared.sha256}.mp4",
            reused=False,
            head_ok=False,
        )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """One to edit, which is fine as it is, and one that is the result."""
    folder = tmp_path_factory.mktemp("clips")
    spec = ClipSpec(name="clip", frames=60, width=854, height=480)
    make_clip(spec, folder / "edit.mp4")
    make_clip(ClipSpec(name="result", frames=12, width=128, height=96), folder / "result.mp4")
    return folder / "edit.mp4", (folder / "result.mp4").read_bytes()


class Caller:
    """One of the two faces, used the same way."""

    def __init__(self, face: str, home: Path, server: Server, **more: Any) -> None:  # noqa: ANN401 - of the client
        self.face = face
        self.given: dict[str, Any] = {
            "settings": settings(home, **more.pop("settings", {})),
            "connection": httpx.MockTransport(server),
            "pace": Time().pace(),
            **more,
        }

    def generate(self, request: GenerationRequest, folder: Path, **how: Any) -> Clip:  # noqa: ANN401 - of submit
        if self.face == "sync":
            with SyncClient(**self.given) as client:
                return client.submit(request, **how).wait(directory=folder)

        async def run() -> Clip:
            async with Client(**self.given) as client:
                job = await client.submit(request, **how)
                return await job.wait(directory=folder)

        return asyncio.run(run())

    def resume(self, key: str, folder: Path, **how: Any) -> Clip:  # noqa: ANN401 - of resume
        if self.face == "sync":
            with SyncClient(**self.given) as client:
                return client.resume(key, **how).wait(directory=folder)

        async def run() -> Clip:
            async with Client(**self.given) as client:
                return await (await client.resume(key, **how)).wait(directory=folder)

        return asyncio.run(run())


@pytest.fixture
def server(clips: tuple[Path, bytes]) -> Server:
    return Server(clip=clips[1])


@pytest.fixture(params=FACES)
def caller(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> Caller:
    return Caller(request.param, tmp_path / "home", server, store=Shelf())


# --- from the request to the clip ----------------------------------------------------------------


def test_a_prompt_becomes_a_clip(caller: Caller, server: Server, tmp_path: Path) -> None:
    told: list[object] = []
    clip = caller.generate(SNOW, tmp_path, on_event=told.append)

    assert clip.path.read_bytes() == server.clip
    assert [body["mode"] for body in server.jobs.values()] == ["t2v"]
    assert [type(each).__name__ for each in told] == ["Quote", "Entry", "Entry"]
    assert clip.cost_usd == pytest.approx(0.60)
    assert clip.path.name == f"clip-{clip.key[:16]}.mp4"


def test_a_clip_is_prepared_stored_and_named_in_the_request(
    caller: Caller, server: Server, tmp_path: Path, clips: tuple[Path, bytes]
) -> None:
    told: list[object] = []
    request = GenerationRequest(prompt="snow", video=clips[0], resolution="480p", duration=4)
    clip = caller.generate(request, tmp_path, on_event=told.append)
    [body] = server.jobs.values()

    assert body["mode"] == "edit"
    assert SECRET in body["video"]
    assert clip.path.is_file()
    [quote] = [each for each in told if isinstance(each, Quote)]
    assert clip.cost_usd == pytest.approx(float(quote.max_usd))
    steps = [each.step.value for each in told if isinstance(each, pipeline.AssetProgress)]
    assert steps[-1] == "upload"
    assert {"plan", "prepare", "upload"} <= set(steps)

    again = caller.generate(request, tmp_path)
    assert (again.key, again.path, len(server.jobs)) == (clip.key, clip.path, 1)
    assert SECRET not in repr(clip) + repr(told)


def test_the_same_content_is_the_same_job_and_other_content_another(
    caller: Caller, server: Server, tmp_path: Path
) -> None:
    first = caller.generate(SNOW, tmp_path)
    second = caller.generate(SNOW, tmp_path)
    other = caller.generate(GenerationRequest(prompt="make it rain", duration=4), tmp_path)

    assert first.key == second.key != other.key
    assert len(server.jobs) == 2


def test_a_clip_that_has_to_be_encoded_is_not_even_encoded_a_second_time(
    caller: Caller, server: Server, tmp_path: Path
) -> None:
    """Encoded by several threads it is not the same to the byte; the job is the same even so."""
    small = make_clip(
        ClipSpec(name="small", frames=60, width=320, height=240, sound=None), tmp_path / "small.mp4"
    )
    request = GenerationRequest(prompt="snow", video=small)
    keys = {caller.generate(request, tmp_path).key for _ in range(2)}

    assert len(keys) == len(server.jobs) == 1
    assert len(caller.given["store"].put_there) == 1


def test_another_key_is_another_job_of_the_same_content(
    caller: Caller, server: Server, tmp_path: Path
) -> None:
    names = {caller.generate(SNOW, tmp_path, key=key).path.name for key in ("one", "two", "one")}

    assert names == {"one.mp4", "two.mp4"}
    assert len(server.jobs) == 2


def test_a_key_that_was_sent_is_answered_without_any_work(
    caller: Caller, server: Server, tmp_path: Path, clips: tuple[Path, bytes]
) -> None:
    caller.generate(GenerationRequest(prompt="snow", video=clips[0]), tmp_path, key="one")
    shelf = caller.given["store"]
    gone = GenerationRequest(prompt="snow", video=tmp_path / "gone.mp4")

    assert caller.generate(gone, tmp_path, key="one").path.name == "one.mp4"
    assert (len(shelf.put_there), len(server.jobs)) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        GenerationRequest(prompt="make it rain", duration=4),
        GenerationRequest(prompt="make it snow", duration=5),
        GenerationRequest(prompt="make it snow", duration=4, image="a.jpg"),
    ],
    ids=["prompt", "duration", "media"],
)
def test_a_key_stands_for_one_request(
    other: GenerationRequest, caller: Caller, server: Server, tmp_path: Path
) -> None:
    caller.generate(SNOW, tmp_path, key="one")

    with pytest.raises(LedgerError) as caught:
        caller.generate(other, tmp_path, key="one")
    assert caught.value.code is ErrorCode.LEDGER_KEY_REUSED
    assert len(server.jobs) == 1


def test_an_unknown_outcome_stays_so_until_somebody_says_otherwise(
    caller: Caller, server: Server, tmp_path: Path
) -> None:
    server.faults = [fault("read late", made=True)]
    for _ in range(2):
        with pytest.raises(UnknownOutcome):
            caller.generate(SNOW, tmp_path, key="one")
    with pytest.raises(UnknownOutcome):
        caller.resume("one", tmp_path)

    assert caller.resume("one", tmp_path, job_id="job_0").path.is_file()
    assert server.posts == 1


# --- refused before anything is sent -------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "how", "error"),
    [
        (GenerationRequest(prompt=" "), {}, RequestRejected),
        (GenerationRequest(prompt="x", model="other"), {}, RequestRejected),
        (GenerationRequest(prompt="x", mode="edit"), {}, RequestRejected),
        (SNOW, {"max_cost_usd": 0.59}, CostTooHigh),
        (SNOW, {"key": "../x"}, LedgerError),
        (SNOW, {"key": ""}, LedgerError),
        (SNOW, {"key": "x" * 101}, LedgerError),
    ],
    ids=["prompt", "model", "mode", "cost", "key with a path", "no key", "long key"],
)
def test_it_is_refused(
    request_: GenerationRequest,
    how: dict[str, Any],
    error: type[Exception],
    caller: Caller,
    server: Server,
    tmp_path: Path,
) -> None:
    with pytest.raises(error):
        caller.generate(request_, tmp_path, **how)

    assert server.requests == []


def test_just_enough_money_is_enough(caller: Caller, tmp_path: Path) -> None:
    assert caller.generate(SNOW, tmp_path, max_cost_usd=0.60).path.is_file()


@pytest.mark.parametrize("face", FACES)
def test_without_a_store_media_cannot_be_sent(
    face: str, server: Server, tmp_path: Path, clips: tuple[Path, bytes]
) -> None:
    caller = Caller(face, tmp_path / "home", server)

    with pytest.raises(StoreError) as caught:
        caller.generate(GenerationRequest(prompt="x", video=clips[0]), tmp_path)
    assert caught.value.code is ErrorCode.STORE_MISSING
    assert server.requests == []


# --- the faces -----------------------------------------------------------------------------------

TWINS = [(Client, SyncClient), (Job, SyncJob)]


def surface(kind: type) -> dict[str, str]:
    """Public names and what they take."""
    named = {"aclose": "close", "__aenter__": "__enter__", "__aexit__": "__exit__"}
    found = {}
    for name, member in inspect.getmembers(kind):
        public = not name.startswith("_") or name in {*named, *named.values()}
        if public and (inspect.isroutine(member) or isinstance(member, property)):
            parameters = (
                {p.name: (p.kind, p.default) for p in inspect.signature(member).parameters.values()}
                if callable(member)
                else "property"
            )
            found[named.get(name, name)] = str(parameters)
    return found


@pytest.mark.parametrize("twins", TWINS, ids=["client", "job"])
def test_both_faces_have_the_same_names_and_take_the_same(twins: tuple[type, type]) -> None:
    one, other = twins

    assert surface(one) == surface(other)


def test_both_clients_are_made_of_the_same() -> None:
    def of(kind: type) -> list[tuple[str, object, object]]:
        parameters = inspect.signature(kind).parameters.values()
        return [(each.name, each.kind, each.default) for each in parameters]

    assert of(Client) == of(SyncClient)


def test_every_method_of_the_sync_face_is_waited_for() -> None:
    assert [
        name
        for kind in (SyncClient, SyncJob)
        for name, member in inspect.getmembers(kind)
        if inspect.iscoroutinefunction(member)
    ] == []


def test_the_sync_face_refuses_to_block_a_loop(tmp_path: Path, server: Server) -> None:
    async def wrong() -> None:
        SyncClient(settings(tmp_path), connection=httpx.MockTransport(server))

    with pytest.raises(RuntimeError, match="use Client"):
        asyncio.run(wrong())


def test_an_interrupt_ends_the_sync_face_and_the_ledger_says_that_nobody_knows(
    tmp_path: Path, server: Server
) -> None:
    """Ctrl-C reaches the caller's thread, not that of the loop."""

    async def hang(request: httpx.Request) -> httpx.Response:
        server.accept(request)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        await asyncio.sleep(60)
        raise AssertionError

    connection = httpx.MockTransport(hang)
    began = time.monotonic()
    with (
        pytest.raises(KeyboardInterrupt),
        SyncClient(settings(tmp_path), connection=connection, pace=Time().pace()) as client,
    ):
        client.submit(SNOW, key="one")

    assert time.monotonic() - began < 30
    ledger = Ledger(tmp_path)
    assert ledger.get("one").state is State.UNKNOWN
    ledger.close()


def test_no_face_shows_the_key(tmp_path: Path, server: Server) -> None:
    given = settings(tmp_path)
    with SyncClient(given, connection=httpx.MockTransport(server)) as client:
        texts = f"{client!r} {vars(client)} {vars(client._client)} {client._client!r}"

    assert KEY not in texts


def test_all_names_of_the_package_are_there_and_sorted() -> None:
    assert list(pipeline.__all__) == sorted(pipeline.__all__, key=lambda n: (n[0].islower(), n))
    assert all(getattr(pipeline, name) is not None for name in pipeline.__all__)
    assert {name for names in pipeline._HOMES.values() for name in names} == set(pipeline.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = pipeline.nonsense


def test_the_package_itself_loads_next_to_nothing() -> None:
    code = "import sys, pipeline; print(json.dumps(sorted(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", f"import json; {code}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(json.loads(told.stdout))

    assert (
        loaded & {"httpx", "pydantic", "pydantic_settings", "sqlite3", "asyncio", "obstore"}
        == set()
    )


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMPIRIOLABS_API_KEY", KEY)
    monkeypatch.setenv("CLIPREADY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLIPREADY_STORE", "s3://bucket/prefix")
    monkeypatch.delenv("CLIPREADY_BASE_URL", raising=False)

    with SyncClient.from_environment() as client:
        assert client.ledger.entries() == []
    found = Settings.from_environment()
    assert (found.key, found.store) == (KEY, "s3://bucket/prefix")
    assert (tmp_path / "home" / "ledger.sqlite3").is_file()
