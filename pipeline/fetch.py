"""Getting a file from a URL that somebody named, without becoming their tool.

Only HTTPS, only public addresses, and the connection goes to the very address that was judged:
what a name resolves to a second time is never asked. Size, time and redirects are bounded. This
client shares nothing with the one that holds the provider's key.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from pipeline.addresses import Address, is_loopback, is_public, literal, parsed
from pipeline.errors import ErrorCode, SourceError
from pipeline.redaction import guard_logs
from pipeline.request import shown_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pipeline.stores.content import OnBytes

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host, as text; raises `OSError` where there are none."""

MAX_BYTES = 2 << 30
"""A phone writes 400 MB a minute in 4K; what is longer is better cut before it is uploaded."""
_MAX_REDIRECTS = 3
_CONNECT_S, _READ_S = 5.0, 10.0
_ANSWER_S = 30.0
"""For connecting, sending and the head of the answer, all redirects included."""
_GRACE_S = 120.0
_SLOWEST_BYTES_PER_S = 256 << 10
"""A body may take the grace, and its time at this rate: it is neither endless nor a drip."""
_SNIFFED = 512
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script")
_HTML_TYPES = ("text/html", "application/xhtml+xml")
_REDIRECTS = (301, 302, 303, 307, 308)


async def resolve_host(host: str, port: int) -> list[str]:
    """Ask the system. Raises `OSError` where it knows no such host."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Fetches; holds rules and no connection."""

    resolver: Resolver = resolve_host
    allow_loopback: bool = False
    """Also this machine, and there plain http: for tests and demonstrations."""
    max_bytes: int = MAX_BYTES
    clock: Callable[[], float] = time.monotonic

    async def fetch(self, url: str, target: Path, on_progress: OnBytes | None = None) -> None:
        """Write what *url* names to the new file *target*.

        Raises:
            SourceError: it is no file, is not public, is too large, or cannot be had in time.
        """
        async with self._opened(url) as answer:
            with target.open("xb") as sink:
                async for chunk, expected in self._body(answer, url):
                    sink.write(chunk)
                    if on_progress is not None:
                        on_progress(sink.tell(), expected)

    async def check(self, url: str) -> None:
        """Look whether *url* is public, answers, and is no web page. Raises as `fetch`."""
        async with self._opened(url) as answer:
            async for _ in self._body(answer, url):
                return

    # --- the answer ------------------------------------------------------------------------------

    @asynccontextmanager
    async def _opened(self, url: str) -> AsyncIterator[httpx.Response]:
        """The answer to a GET, its body unread, after redirects."""
        guard_logs()
        timeout = httpx.Timeout(_READ_S, connect=_CONNECT_S)
        async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    answer = await self._answer(client, url)
            except TimeoutError as error:
                raise _slow(url, f"no answer within {_ANSWER_S:g} s") from error
            try:
                yield answer
            finally:
                await answer.aclose()

    async def _answer(self, client: httpx.AsyncClient, url: str) -> httpx.Response:
        target = _parsed_url(url)
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._sent(client, target, url)
            if answer.status_code not in _REDIRECTS:
                _check_head(answer, url, self.max_bytes)
                return answer
            await answer.aclose()
            target = _redirected(target, answer.headers.get("location", ""), url)
        msg = f"{shown_url(url)} redirects more than {_MAX_REDIRECTS} times; give its final address"
        raise SourceError(ErrorCode.SOURCE_REDIRECT, msg)

    async def _sent(self, client: httpx.AsyncClient, target: httpx.URL, url: str) -> httpx.Response:
        addresses = await self._addresses(target, url)
        for n, address in enumerate(addresses, 1):
            request = client.build_request(
                "GET",
                target.copy_with(host=str(address)),
                headers={"Host": target.netloc.decode("ascii"), "Accept-Encoding": "identity"},
                # The certificate has to be the name's, not the address's.
                extensions={"sni_hostname": target.raw_host.decode("ascii")},
            )
            try:
                return await client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if n == len(addresses):
                    raise _unreachable(url, error) from error
            except httpx.HTTPError as error:
                raise _unreachable(url, error) from error
        raise _unreachable(url, OSError("its name has no address"))

    async def _addresses(self, target: httpx.URL, url: str) -> list[Address]:
        """All addresses of the host, each of which may be asked.

        Raises:
            SourceError: one of them may not, or there are none.
        """
        host = target.raw_host.decode("ascii")
        port = target.port or (443 if target.scheme == "https" else 80)
        try:
            own = literal(host)
        except ValueError as error:
            raise _private(url, f"the number {host} for a host") from error
        try:
            told = [str(own)] if own is not None else await self.resolver(host, port)
        except OSError as error:
            raise _unreachable(url, error) from error
        addresses = [parsed(each) for each in told]
        for address in addresses:
            self._check_address(address, target, url)
        return addresses

    def _check_address(self, address: Address, target: httpx.URL, url: str) -> None:
        if self.allow_loopback and is_loopback(address):
            return
        if not is_public(address):
            raise _private(url, f"{address}, which is no public address")
        if target.scheme != "https":
            msg = (
                f"{shown_url(url)} is plain {target.scheme}; allowed: https. Use its https address."
            )
            raise SourceError(ErrorCode.SOURCE_URL, msg)
        if target.port not in (None, 443):
            msg = f"{shown_url(url)} names port {target.port}; allowed: 443"
            raise SourceError(ErrorCode.SOURCE_URL, msg)

    # --- the body --------------------------------------------------------------------------------

    async def _body(
        self, answer: httpx.Response, url: str
    ) -> AsyncIterator[tuple[bytes, int | None]]:
        """The bytes, as they come, the first of them looked at; and how many there should be."""
        declared = answer.headers.get("content-length", "")
        expected = int(declared) if declared.isdecimal() else None
        started, received, start = self.clock(), 0, b""
        try:
            async for chunk in answer.aiter_raw():
                if len(start) < _SNIFFED:
                    start += chunk[:_SNIFFED]
                    _check_no_html(start, url)
                received += len(chunk)
                if received > self.max_bytes:
                    raise _too_large(url, f"more than {self.max_bytes:,} bytes", self.max_bytes)
                self._check_pace(self.clock() - started, received, url)
                yield chunk, expected
        except httpx.TimeoutException as error:
            raise _slow(url, f"nothing came for {_READ_S:g} s") from error
        except httpx.HTTPError as error:
            raise _unreachable(url, error) from error
        if not received:
            msg = f"{shown_url(url)} answers with no bytes; give the address of a file"
            raise SourceError(ErrorCode.SOURCE_EMPTY, msg)

    def _check_pace(self, elapsed_s: float, received: int, url: str) -> None:
        allowed_s = _GRACE_S + received / _SLOWEST_BYTES_PER_S
        if elapsed_s > allowed_s:
            raise _slow(url, f"{received:,} bytes took {elapsed_s:.0f} s")


def _parsed_url(url: str) -> httpx.URL:
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        msg = f"{shown_url(url)} cannot be read as a URL; give an https address"
        raise SourceError(ErrorCode.SOURCE_URL, msg) from error
    if target.scheme not in {"https", "http"} or not target.raw_host:
        msg = f"{shown_url(url)} is no https address; give one, or a file"
        raise SourceError(ErrorCode.SOURCE_URL, msg)
    if target.userinfo:
        msg = f"{shown_url(url)} holds a user or password; give an address that needs none"
        raise SourceError(ErrorCode.SOURCE_URL, msg)
    return target.copy_with(fragment=None)


def _redirected(target: httpx.URL, location: str, url: str) -> httpx.URL:
    try:
        onward = _parsed_url(str(target.join(location)))
    except httpx.InvalidURL as error:
        msg = f"{shown_url(url)} redirects to what is no URL"
        raise SourceError(ErrorCode.SOURCE_REDIRECT, msg) from error
    if target.scheme == "https" and onward.scheme != "https":
        msg = f"{shown_url(url)} redirects from https to plain {onward.scheme}; allowed: https"
        raise SourceError(ErrorCode.SOURCE_REDIRECT, msg)
    return onward


def _check_head(answer: httpx.Response, url: str, max_bytes: int) -> None:
    if answer.status_code != httpx.codes.OK:
        msg = (
            f"{shown_url(url)} answers {answer.status_code}; allowed: 200 with the file. "
            "Check the address, and whether it needs a login or has run out."
        )
        raise SourceError(ErrorCode.SOURCE_STATUS, msg, status=answer.status_code)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _HTML_TYPES:
        raise _html(url)
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        coding = answer.headers["content-encoding"]
        msg = f"{shown_url(url)} sends its file compressed ({coding[:20]}) though asked not to"
        raise SourceError(ErrorCode.SOURCE_ENCODING, msg)
    declared = answer.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(url, f"{int(declared):,} bytes", max_bytes)


def _check_no_html(start: bytes, url: str) -> None:
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML_STARTS):
        raise _html(url)


# --- how it is told ----------------------------------------------------------------------------


def _html(url: str) -> SourceError:
    msg = (
        f"{shown_url(url)} is a web page, not a file; give the address of the file itself "
        "(a sharing service's page about it is none)"
    )
    return SourceError(ErrorCode.SOURCE_HTML, msg)


def _private(url: str, measured: str) -> SourceError:
    msg = f"{shown_url(url)} leads to {measured}; allowed: public addresses. Give the file instead."
    return SourceError(ErrorCode.SOURCE_PRIVATE_ADDRESS, msg)


def _too_large(url: str, measured: str, max_bytes: int) -> SourceError:
    msg = f"{shown_url(url)} has {measured}; allowed: {max_bytes:,}. Cut it before it is uploaded."
    return SourceError(ErrorCode.SOURCE_TOO_LARGE, msg)


def _slow(url: str, measured: str) -> SourceError:
    msg = (
        f"{shown_url(url)} is too slow: {measured}; allowed: {_GRACE_S:g} s and 1 s for each "
        f"{_SLOWEST_BYTES_PER_S:,} bytes. Try again, or give the file instead."
    )
    return SourceError(ErrorCode.SOURCE_TOO_SLOW, msg)


def _unreachable(url: str, error: Exception) -> SourceError:
    told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    msg = f"{shown_url(url)} cannot be fetched ({told}); check the address, or give the file"
    return SourceError(ErrorCode.SOURCE_UNREACHABLE, msg)
