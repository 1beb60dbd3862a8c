"""Media as files: paths, bytes, file objects, and URLs that strangers named."""

from __future__ import annotations

import asyncio
import io
import logging
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pipeline import fetch
from pipeline.errors import SourceError
from pipeline.fetch import Fetcher
from pipeline.sources import local_file
from tests.submit.web import head, never_ends, says, sends_to, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.submit.web import Say, Web

PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
HERE = Fetcher(allow_loopback=True, max_bytes=100_000)


def fetched(target: Path, pages: dict[str, Say], fetcher: Fetcher = HERE) -> Web:
    """Fetch ``/x`` of a server that says *pages* into *target*."""

    async def run() -> Web:
        async with serving(**pages) as web:
            await fetcher.fetch(f"{web.base}/x", target)
            return web

    return asyncio.run(asyncio.wait_for(run(), 20))


def refused(target: Path, pages: dict[str, Say], fetcher: Fetcher = HERE) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetched(target, pages, fetcher)
    assert "CANARY" not in str(caught.value)
    return caught.value


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "video.source"


# --- what is no URL ------------------------------------------------------------------------------


def local(medium: Any, target: Path) -> Path:  # noqa: ANN401 - whatever a user gives
    return asyncio.run(local_file(medium, target, Fetcher(max_bytes=1000)))


def test_a_path_is_itself(target: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "a.jpg", str(tmp_path / "a.jpg"), "C:strange", "data", "http:/x"):
        assert str(local(path, target)) == str(path)
    assert not target.exists()


def test_bytes_and_files_become_a_file(target: Path, tmp_path: Path) -> None:
    assert local(b"abc", target).read_bytes() == b"abc"

    file = io.BytesIO(b"0123456789")
    file.seek(3)
    assert local(file, tmp_path / "other").read_bytes() == b"3456789"


class Endless(io.RawIOBase):
    def read(self, size: int = -1, /) -> bytes:
        return b"x" * min(size, 300)


class Broken(io.RawIOBase):
    def read(self, _: int = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


def closed() -> io.BytesIO:
    file = io.BytesIO(b"x")
    file.close()
    return file


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (Endless(), "source_too_large"),
        (Broken(), "source_unreadable"),
        (io.StringIO("text"), "source_unreadable"),
        (closed(), "source_unreadable"),
    ],
    ids=["endless", "broken", "text", "closed"],
)
def test_a_file_object_that_misbehaves_is_told(file: Any, code: str, target: Path) -> None:  # noqa: ANN401 - several
    with pytest.raises(SourceError) as caught:
        local(file, target)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://a.example/x", "gopher://a.example/", "s3://bucket/x"),
        *("data:image/png;base64,CANARY", "https://", "https://user:CANARY@a.example/x"),
        *("https://[::1", "https://a.example:port/", "http://\x00.example/"),
    ],
)
def test_other_schemes_are_no_files_and_no_addresses(url: str, target: Path) -> None:
    with pytest.raises(SourceError) as caught:
        local(url, target)
    assert caught.value.code == "source_url"
    assert "CANARY" not in str(caught.value)


# --- what a server says --------------------------------------------------------------------------


def test_a_file_is_fetched_whole_with_progress(target: Path) -> None:
    told: list[tuple[int, int | None]] = []

    async def run() -> Web:
        async with serving(x=says(PHOTO, Content_Type="image/jpeg")) as web:
            await HERE.fetch(f"{web.base}/x?signature=CANARY", target, lambda *at: told.append(at))
            return web

    web = asyncio.run(run())

    assert target.read_bytes() == PHOTO
    assert told[-1] == (len(PHOTO), len(PHOTO))
    assert told == sorted(told)
    [(_, headers)] = web.asked
    assert headers["accept-encoding"] == "identity"
    assert not {"authorization", "cookie"} & set(headers)


def test_the_type_that_is_declared_is_no_matter(target: Path) -> None:
    """Content decides, as everywhere: servers say text/plain of what they do not know."""
    fetched(target, {"x": says(PHOTO, Content_Type="text/plain")})

    assert target.read_bytes() == PHOTO


@pytest.mark.parametrize(
    "page",
    [
        says(PHOTO, Content_Type="Text/HTML; charset=utf-8"),
        says(b"\xef\xbb\xbf\r\n  <!DOCTYPE html><html>", Content_Type="image/jpeg"),
        says(b"<HTML><head>"),
    ],
    ids=["declared", "with a mark", "bare"],
)
def test_a_web_page_is_told_as_one(page: Say, target: Path) -> None:
    assert refused(target, {"x": page}).code == "source_html"


def test_html_that_comes_in_pieces_is_html(target: Path) -> None:
    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(head(Content_Length="14"))
        for letter in b"<!doctype html":
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(0.005)

    assert refused(target, {"x": dripping}).code == "source_html"


def test_an_endless_body_ends_at_the_limit(target: Path) -> None:
    assert refused(target, {"x": never_ends(PHOTO)}).code == "source_too_large"
    assert target.stat().st_size <= 100_000


def test_what_says_it_is_too_large_is_not_read(target: Path) -> None:
    async def boasting(writer: asyncio.StreamWriter) -> None:
        writer.write(head(Content_Length="100001"))

    error = refused(target, {"x": boasting})

    assert error.code == "source_too_large"
    assert "100,001 bytes" in error.message
    assert not target.exists()


def test_a_drip_is_too_slow(target: Path) -> None:
    """A pause between two bytes is never long enough to time out; the rate is."""
    ticks = iter(range(0, 10**6, 50))
    slow = Fetcher(allow_loopback=True, clock=lambda: float(next(ticks)))

    assert refused(target, {"x": never_ends(b"x", 0.01)}, slow).code == "source_too_slow"


def test_a_server_that_says_nothing_is_too_slow(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_ANSWER_S", 0.2)

    async def silent(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    assert refused(target, {"x": silent}).code == "source_too_slow"


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (says(b"no", "404 Not Found"), "source_status"),
        (says(b"no", "403 Forbidden"), "source_status"),
        (says(PHOTO, "206 Partial Content"), "source_status"),
        (says(b""), "source_empty"),
        (says(PHOTO, Content_Encoding="gzip"), "source_encoding"),
    ],
    ids=["404", "403", "206", "empty", "gzip"],
)
def test_what_is_no_file_is_refused(page: Say, code: str, target: Path) -> None:
    assert refused(target, {"x": page}).code == code


def test_a_body_that_breaks_off_is_no_file(target: Path) -> None:
    async def breaking(writer: asyncio.StreamWriter) -> None:
        writer.write(head(Content_Length="5000") + PHOTO[:100])

    assert refused(target, {"x": breaking}).code == "source_unreachable"


def test_nobody_there_is_unreachable(target: Path) -> None:
    with pytest.raises(SourceError) as caught:
        asyncio.run(HERE.fetch("http://127.0.0.1:9/x?CANARY", target))
    assert caught.value.code == "source_unreachable"
    assert "CANARY" not in str(caught.value)


# --- redirects -----------------------------------------------------------------------------------


def test_a_redirect_is_followed_and_no_more_than_three(target: Path) -> None:
    pages = {"x": sends_to("/b"), "b": sends_to("c", "307 Temporary Redirect"), "c": sends_to("/d")}

    assert [path for path, _ in fetched(target, pages | {"d": says(PHOTO)}).asked] == [
        *("/x", "/b", "/c", "/d"),
    ]
    error = refused(target.with_name("t"), pages | {"d": sends_to("/e"), "e": says(PHOTO)})
    assert error.code == "source_redirect"


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("https://169.254.169.254/latest/meta-data/", "source_private_address"),
        ("https://10.0.0.1/CANARY?CANARY", "source_private_address"),
        ("https://[fd00::1]/", "source_private_address"),
        ("https://2130706433/", "source_private_address"),
        ("file:///etc/passwd", "source_url"),
        ("ftp://a.example/", "source_url"),
        ("", "source_redirect"),
    ],
)
def test_a_redirect_is_judged_as_an_address_of_its_own(
    location: str, code: str, target: Path
) -> None:
    if location:
        assert refused(target, {"x": sends_to(location)}).code == code
    else:
        assert refused(target, {"x": sends_to("")}).code == code  # to itself, for ever
    assert not target.exists()


def test_a_redirect_does_not_give_up_https() -> None:
    secure = httpx.URL("https://media.example/a")
    with pytest.raises(SourceError) as caught:
        fetch._redirected(secure, "http://media.example/a", str(secure))
    assert caught.value.code == "source_redirect"
    onward = fetch._redirected(secure, "//other.example/b#part", str(secure))
    assert str(onward) == "https://other.example/b"


# --- addresses -----------------------------------------------------------------------------------


class Names:
    """A resolver that knows what it is told, and remembers what it was asked."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers: Iterator[list[str]] = iter(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return next(self._answers)


def refused_by_name(url: str, *addresses: str) -> tuple[SourceError, Names]:
    names = Names(list(addresses))
    with pytest.raises(SourceError) as caught:
        asyncio.run(Fetcher(resolver=names).check(url))
    return caught.value, names


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:c0a8:1"],
        ["fe80::1%eth0"],
        ["93.184.216.34", "192.168.1.1"],
    ],
    ids=" ".join,
)
def test_a_name_is_judged_by_what_it_resolves_to(addresses: list[str]) -> None:
    """One private address among public ones is enough."""
    error, names = refused_by_name("https://media.example/a.mp4", *addresses)

    assert error.code == "source_private_address"
    assert addresses[-1].partition("%")[0] in error.message
    assert names.asked == [("media.example", 443)]


@pytest.mark.parametrize(
    "url",
    [
        *("https://127.0.0.1/", "https://[::1]/", "https://[::ffff:7f00:1]/", "https://0/"),
        *("https://127.1/", "https://0x7f000001/", "https://017700000001/", "https://2130706433/"),
        *("https://169.254.169.254/latest/", "http://192.168.0.1/"),
    ],
)
def test_numbers_are_judged_without_asking_anybody(url: str) -> None:
    error, names = refused_by_name(url)

    assert error.code == "source_private_address"
    assert names.asked == []


@pytest.mark.parametrize("url", ["http://media.example/a.mp4", "https://media.example:8443/a.mp4"])
def test_only_https_on_its_own_port_is_fetched_from_the_public(url: str) -> None:
    assert refused_by_name(url, "93.184.216.34")[0].code == "source_url"


def test_a_name_that_nobody_knows_is_unreachable() -> None:
    assert refused_by_name("https://media.example/")[0].code == "source_unreachable"

    async def unknown(host: str, port: int) -> list[str]:
        raise OSError(-2, f"Name or service not known: {host} {port}")

    with pytest.raises(SourceError) as caught:
        asyncio.run(Fetcher(resolver=unknown).check("https://media.example/"))
    assert caught.value.code == "source_unreachable"


def test_the_connection_goes_to_the_address_that_was_judged(target: Path) -> None:
    """A name that resolves to something else the second time gains nothing: it is asked once."""

    async def run() -> tuple[Web, Names]:
        names = Names(["127.0.0.1"], ["203.0.113.9"])
        async with serving(x=says(PHOTO)) as web:
            port = web.base.rpartition(":")[2]
            fetcher = Fetcher(resolver=names, allow_loopback=True)
            await fetcher.fetch(f"http://media.example:{port}/x", target)
            return web, names

    web, names = asyncio.run(run())

    assert target.read_bytes() == PHOTO
    assert len(names.asked) == 1
    [(_, headers)] = web.asked
    assert headers["host"].startswith("media.example:")


def test_the_certificate_has_to_be_the_names(target: Path) -> None:
    """What the client asks TLS for is the name, though it connected to an address."""
    asked: list[str | None] = []

    def greeted(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int:
        asked.append(name)
        return ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE  # all that is to be known is known

    async def run() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = greeted
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        fetcher = Fetcher(resolver=Names(["127.0.0.1"]), allow_loopback=True)
        async with server:
            await fetcher.fetch(f"https://media.example:{port}/x", target)

    with pytest.raises(SourceError) as caught:
        asyncio.run(asyncio.wait_for(run(), 20))

    assert caught.value.code == "source_unreachable"
    assert asked == ["media.example"]


def test_the_next_address_is_tried_where_one_does_not_answer(target: Path) -> None:
    async def run() -> None:
        async with serving(x=says(PHOTO)) as web:
            port = web.base.rpartition(":")[2]
            fetcher = Fetcher(resolver=Names(["127.0.0.2", "127.0.0.1"]), allow_loopback=True)
            await fetcher.fetch(f"http://media.example:{port}/x", target)

    asyncio.run(run())

    assert target.read_bytes() == PHOTO


def test_this_machine_is_no_exception_unless_that_is_allowed(target: Path) -> None:
    assert refused(target, {"x": says(PHOTO)}, Fetcher()).code == "source_private_address"


def test_no_query_reaches_a_log(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with serving(x=says(PHOTO)) as web:
            await HERE.fetch(f"{web.base}/x?X-Amz-Signature=CANARY", target)

    with caplog.at_level(logging.DEBUG):
        asyncio.run(run())

    assert "HTTP Request" in caplog.text
    assert "CANARY" not in caplog.text
