"""The way to the provider: what is repeated, what never is, and what nobody gets to see."""

from __future__ import annotations

import asyncio
import io
import logging
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.errors import (
    ApiUnreadable,
    Authentication,
    RateLimited,
    SettingsInvalid,
    Unavailable,
    UnknownOutcome,
)
from pipeline.limiter import Limiter
from pipeline.redaction import MAX_TEXT, foreign, redacted
from pipeline.retry import (
    MAX_RETRY_AFTER_S,
    MAX_TRIES,
    parse_retry_after,
    pause_s,
    poll_pause_s,
)
from pipeline.settings import Settings
from pipeline.transport import MAX_ANSWER_BYTES, NotSentError, Transport
from tests.submit.support import HOST, KEY, SECRET, Time, settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

HOME = Path("/nonexistent")
GOOD = httpx.Response(200, json={"status": "ok"})


class Script:
    """Answers in order, the last one for ever; an exception is raised."""

    def __init__(self, *steps: httpx.Response | Exception) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)


def transport(
    handler: Callable[[httpx.Request], httpx.Response],
    time: Time | None = None,
    **changes: Any,  # noqa: ANN401 - settings
) -> Transport:
    return Transport(
        settings(HOME, **changes),
        pace=(time or Time()).pace(),
        connection=httpx.MockTransport(handler),
    )


# --- what is repeated ----------------------------------------------------------------------------

PASSING: dict[str, httpx.Response | Exception] = {
    "429": httpx.Response(429),
    "500": httpx.Response(500, json={"error": {"code": "upstream_error", "message": "m"}}),
    "page 502": httpx.Response(502, html="<html>"),
    "page 200": httpx.Response(200, html="<!doctype html><html>"),
    "empty": httpx.Response(200, content=b""),
    "half": httpx.Response(200, content=b'{"half":'),
    "reset": httpx.ReadError("reset"),
    "refused": httpx.ConnectError("refused"),
    "closed": httpx.RemoteProtocolError("closed"),
    "late": httpx.ReadTimeout("late"),
}


@pytest.mark.parametrize("first", PASSING.values(), ids=PASSING)
def test_a_question_is_asked_again_after_what_may_pass(
    first: httpx.Response | Exception,
) -> None:
    script = Script(first, first, GOOD)

    found = asyncio.run(transport(script).get("/v1/x"))

    assert found.data == {"status": "ok"}
    assert len(script.requests) == 3


@pytest.mark.parametrize("first", PASSING.values(), ids=PASSING)
def test_it_is_not_asked_for_ever(first: httpx.Response | Exception) -> None:
    script = Script(first)

    with pytest.raises((Unavailable, RateLimited, ApiUnreadable)):
        asyncio.run(transport(script).get("/v1/x"))

    assert len(script.requests) == MAX_TRIES


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_what_is_final_is_asked_once(status: int) -> None:
    script = Script(httpx.Response(status, json={"error": "no"}))

    assert asyncio.run(transport(script).get("/v1/x")).status == status
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """Neither by a question nor by what costs money: the key must not go elsewhere."""
    script = Script(httpx.Response(status, headers={"Location": "https://evil.test/"}))
    link = transport(script)

    with pytest.raises(ApiUnreadable, match="elsewhere"):
        asyncio.run(link.get("/v1/x"))
    assert asyncio.run(transport(script).post_once("/v1/x", b"{}")).status == status
    assert [request.url.host for request in script.requests] == [HOST, HOST]


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("no"), httpx.ConnectTimeout("no"), httpx.PoolTimeout("no")]
)
def test_before_the_first_byte_it_is_certain_that_nothing_was_sent(error: Exception) -> None:
    script = Script(error)

    with pytest.raises(NotSentError, match="cannot be reached"):
        asyncio.run(transport(script).post_once("/v1/x", b"{}"))
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "error",
    [
        httpx.WriteError("reset"),
        httpx.WriteTimeout("late"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("closed"),
        httpx.ProxyError("proxy"),
    ],
)
def test_after_it_the_outcome_is_unknown_and_nothing_is_repeated(error: Exception) -> None:
    script = Script(error)

    with pytest.raises(UnknownOutcome):
        asyncio.run(transport(script).post_once("/v1/x", b"{}"))
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(step, id=name)
        for name, step in PASSING.items()
        if isinstance(step, httpx.Response)
    ],
)
def test_what_costs_money_is_sent_once_whatever_comes_back(first: httpx.Response) -> None:
    script = Script(first)

    assert asyncio.run(transport(script).post_once("/v1/x", b"{}")).status == first.status_code
    assert len(script.requests) == 1


def test_a_form_is_sent_whole_each_time() -> None:
    script = Script(httpx.Response(503), GOOD)
    link = transport(script)
    seen: list[bytes] = []

    def read(request: httpx.Request) -> httpx.Response:
        seen.append(request.read())
        return script(request)

    link = transport(read)
    files = {"file": ("a.mp4", io.BytesIO(b"content of the file"), "video/mp4")}
    assert asyncio.run(link.upload("/v1/files/upload", files)).is_success

    assert [b"content of the file" in body for body in seen] == [True, True]


# --- deadlines and bounds ------------------------------------------------------------------------


class Slow(httpx.AsyncByteStream):
    """A body that never ends, a byte at a time."""

    def __init__(self, piece: bytes, every_s: float) -> None:
        self.piece, self.every_s = piece, every_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield self.piece
            await asyncio.sleep(self.every_s)


def test_a_body_that_drips_ends_with_the_deadline() -> None:
    """Timeouts of the HTTP library are per byte, so that each byte would start one anew."""

    def drip(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Slow(b" ", 0.01))

    with pytest.raises((Unavailable, ApiUnreadable)):
        asyncio.run(transport(drip).get("/v1/x", deadline_s=0.2))

    answer = asyncio.run(transport(drip, call_deadline_s=0.2).post_once("/v1/x", b"{}"))
    assert answer.broken == "nothing within 0.2 s"


def test_no_answer_at_all_ends_with_the_deadline() -> None:
    async def silence(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return GOOD

    async def both() -> None:
        link = Transport(
            settings(HOME, call_deadline_s=0.1), connection=httpx.MockTransport(silence)
        )
        with pytest.raises(Unavailable, match=r"0\.1 s"):
            await link.get("/v1/x")
        with pytest.raises(UnknownOutcome, match=r"0\.1 s"):
            await link.post_once("/v1/x", b"{}")

    asyncio.run(both())


def test_an_endless_body_is_cut() -> None:
    def endless(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Slow(b"x" * 65536, 0))

    answer = asyncio.run(transport(endless).post_once("/v1/x", b"{}"))

    assert len(answer.body) == MAX_ANSWER_BYTES
    assert "longer" in str(answer.broken)


def test_a_packed_body_is_not_unpacked() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, headers={"Content-Encoding": "gzip"}, stream=Slow(b"\x1f\x8b", 0)
        )

    assert "packed" in str(asyncio.run(transport(handler).post_once("/v1/x", b"{}")).broken)


# --- secrets -------------------------------------------------------------------------------------


def test_the_key_goes_out_in_one_header_and_to_the_provider_alone() -> None:
    script = Script(GOOD)
    link = transport(script)

    async def all_ways() -> None:
        await link.get("/v1/x")
        await link.post_once("/v1/x", b"{}")
        async with link.stream("https://cdn.test/a.mp4"):
            pass

    asyncio.run(all_ways())
    headers = [[n for n, v in r.headers.items() if KEY in v] for r in script.requests]

    assert headers == [["authorization"], ["authorization"], []]
    assert all(KEY not in str(request.url) for request in script.requests)


@pytest.mark.parametrize("key", [KEY, "another-kind-of-key"])
@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_key_that_comes_back_is_not_passed_on(key: str, status: int) -> None:
    """A page that repeats the headers it was sent, say."""
    page = httpx.Response(status, html=f"<html>Authorization: {key}, and again {key}</html>")
    answer = asyncio.run(transport(Script(page), api_key=key).post_once("/v1/x", b"{}"))

    assert key.encode() not in answer.body
    with pytest.raises(ApiUnreadable) as caught:
        _ = answer.data
    assert key not in f"{vars(caught.value)}"


def test_logs_of_the_http_library_hold_no_signature(caplog: pytest.LogCaptureFixture) -> None:
    """Httpx logs whole URLs at INFO."""
    caplog.set_level(logging.DEBUG)
    link = transport(Script(GOOD))

    async def fetch() -> None:
        async with link.stream(f"https://user:pw@cdn.test/a.mp4?X-Amz-Signature={SECRET}"):
            pass
        await link.get("/v1/x")

    asyncio.run(fetch())

    assert "cdn.test/a.mp4" in caplog.text
    assert SECRET not in caplog.text
    assert "pw" not in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://a.test/b.mp4?Signature=S3CRET&x=1 failed", "https://a.test/b.mp4?*** failed"),
        ("s3://user:S3CRET@bucket/key", "s3://bucket/key"),
        ("key sk-empiriolabs-S3CRET is wrong", "key sk-empiriolabs-*** is wrong"),
        ("Authorization: Bearer S3CRET", "Authorization: Bearer ***"),
        ("sig=S3CRET", "sig=***"),
        ('{"url": "https://a.test/?S3CRET"}', '{"url": "https://a.test/?***"}'),
        ("what? nothing", "what? nothing"),
        ("plain https://a.test/b text", "plain https://a.test/b text"),
    ],
)  # fmt: skip
def test_texts_lose_their_secrets_and_nothing_else(text: str, kept: str) -> None:
    assert redacted(text) == kept


@given(st.text())
def test_a_strangers_text_is_one_bearable_line(text: str) -> None:
    told = foreign(text)

    assert len(told) <= MAX_TEXT + 1
    assert told.isprintable() or not any(ord(letter) < 32 for letter in told)


# --- pace ----------------------------------------------------------------------------------------


@given(
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=60),
    limit=st.integers(1, 10),
    dice=st.floats(0, 1),
)
def test_no_minute_has_more_requests_than_the_account_may_make(
    gaps: list[float], limit: int, dice: float
) -> None:
    time = Time()
    sent: list[float] = []

    async def ask() -> None:
        limiter = Limiter(limit, time.pace(dice))
        for gap in gaps:
            time.now += gap
            await limiter.acquire()
            sent.append(time.now)

    asyncio.run(ask())

    for number, first in enumerate(sent[:-limit] if len(sent) > limit else []):
        assert sent[number + limit] - first >= 60 - 1e-6


def test_below_the_limit_nobody_waits() -> None:
    time = Time()

    async def ask() -> None:
        limiter = Limiter(50, time.pace())
        for _ in range(50):
            await limiter.acquire()

    asyncio.run(ask())

    assert time.slept == []


def test_those_who_wait_are_let_in_one_by_one() -> None:
    """Started together, they may not all see the same free place."""
    time = Time()

    async def ask() -> None:
        limiter = Limiter(5, time.pace())
        await asyncio.gather(*(limiter.acquire() for _ in range(20)))

    asyncio.run(ask())

    assert time.now - 1000 >= 180


@given(st.integers(1, 50), st.floats(0, 1), st.none() | st.floats(-1e9, 1e12))
def test_pauses_have_bounds(tries: int, dice: float, asked_s: float | None) -> None:
    pause = pause_s(tries, dice, asked_s)

    assert 0.5 <= pause <= MAX_RETRY_AFTER_S
    assert asked_s is None or pause >= min(asked_s, MAX_RETRY_AFTER_S)


@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(1, 500))
def test_polling_of_all_jobs_together_leaves_room_for_others(
    polls: int, dice: float, waiting: int
) -> None:
    pause = poll_pause_s(polls, dice, shortest_s=5, waiting=waiting, per_minute=50)

    assert pause >= 5
    assert waiting * 60 / pause <= 0.8 * 50 + 1e-6


NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("30", 30),
        (" 7 ", 7),
        ("999999999999999999999", 999999999999),
        (format_datetime(NOW.replace(minute=1), usegmt=True), 60),
        (format_datetime(NOW.replace(year=2025), usegmt=True), 0),
        ("Thu, 26 Nov 2026 08:01:00 -0000", 60),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("1.5", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW.timestamp()) == seconds


@given(st.text())
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    found = parse_retry_after(value, 0.0)

    assert found is None or found >= 0


def test_what_the_server_asks_for_is_waited() -> None:
    time = Time()
    script = Script(httpx.Response(429, headers={"Retry-After": "42"}), GOOD)

    asyncio.run(transport(script, time).get("/v1/x"))

    assert time.slept == [42]


# --- settings ------------------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in ("EMPIRIOLABS_API_KEY", "CLIPREADY_BASE_URL", "CLIPREADY_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLIPREADY_HOME", str(tmp_path))
    return monkeypatch


@pytest.mark.parametrize(
    "url",
    [
        *("http://api.test", "http://127.0.0.1.evil.test", "http://10.0.0.1", "ftp://127.0.0.1"),
        *("https://u:p@api.test", "https://api.test?x=1", "https://api.test/#a", "api.test", "https://"),
    ],
)  # fmt: skip
def test_an_address_that_would_show_the_key_is_refused(
    url: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("CLIPREADY_BASE_URL", url)

    with pytest.raises(SettingsInvalid, match="CLIPREADY_BASE_URL"):
        Settings.from_environment()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.test/v1/", "https://api.test"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
        ("http://localhost:8000/", "http://localhost:8000"),
    ],
)
def test_the_root_and_v1_mean_the_same(
    url: str, kept: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("CLIPREADY_BASE_URL", url)

    assert Settings.from_environment().base_url == kept


@pytest.mark.parametrize("key", [f"{KEY}\r\nX: y", f"{KEY} {KEY}", f"{KEY}é"])
def test_a_key_that_is_none_is_refused_and_not_shown(
    key: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("EMPIRIOLABS_API_KEY", key)

    with pytest.raises(SettingsInvalid) as caught:
        Settings.from_environment()

    assert KEY not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


def test_without_a_key_nothing_is_asked(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("EMPIRIOLABS_API_KEY", " ")
    script = Script(GOOD)
    link = Transport(Settings.from_environment(), connection=httpx.MockTransport(script))

    with pytest.raises(Authentication, match="EMPIRIOLABS_API_KEY"):
        asyncio.run(link.get("/v1/x"))
    assert script.requests == []


def test_settings_do_not_show_the_key(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("EMPIRIOLABS_API_KEY", f" {KEY}\n")
    found = Settings.from_environment()

    assert found.key == KEY
    assert isinstance(found.api_key, SecretStr)
    assert KEY not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"
