"""The way to the provider: one pool of connections, total deadlines, no redirects.

The key goes out in the ``Authorization`` header of requests to the provider, and nowhere else.
What may be repeated is repeated here; what costs money goes through `Transport.post_once`, which
says whether anything can have been sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import IO, TYPE_CHECKING

import httpx

from pipeline.answers import Answer
from pipeline.errors import ApiUnreadable, ErrorCode, PipelineError, Unavailable, UnknownOutcome
from pipeline.limiter import Limiter
from pipeline.pace import Pace
from pipeline.redaction import foreign, guard_logs
from pipeline.refusals import refusal
from pipeline.retry import MAX_TRIES, parse_retry_after, pause_s
from preprocess import own_version

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.settings import Settings

MAX_ANSWER_BYTES = 1 << 20
CONNECT_S = 10.0
_TRY_S = 20.0
"""For one try of what is small and can be repeated."""
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Raised before the first byte of a request: no route, no name, refused, TLS (httpcore 1.0.9)."""
_TOO_MANY = 429
_SHORTEST_KEY = 8
_SERVER_ERROR = 500
_REDIRECTS = range(300, 400)

Files = Mapping[str, tuple[str, IO[bytes], str]]
"""By field: name, content and its type."""


class NotSentError(Unavailable):
    """The provider cannot be reached, and nothing was sent."""


class Transport:
    """Speaks to one provider for one account. Not to be used from a second event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        pace: Pace | None = None,
        connection: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        guard_logs()
        self._settings = settings
        self.pace = pace or Pace()
        self._limiter = Limiter(settings.requests_per_minute, self.pace)
        self._http = httpx.AsyncClient(
            transport=connection,
            follow_redirects=False,
            # A proxy between us and this machine would read the key.
            trust_env=not settings.is_local,
            timeout=httpx.Timeout(None, connect=CONNECT_S),
            # A connection used twice can be closed by the server just as a request goes out, whose
            # outcome is unknown then; or hold the rest of one answer, read as the next (h11 0.16).
            # At some 50 requests a minute a handshake each is cheap.
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={
                "User-Agent": f"clipready/{own_version()}",
                "Accept": "application/json",
                # Nothing is unpacked, so nothing can swell.
                "Accept-Encoding": "identity",
            },
        )

    def __repr__(self) -> str:
        return f"Transport({self._settings.base_url!r})"

    @property
    def is_local(self) -> bool:
        """Whether the provider is a stand-in on this machine."""
        return self._settings.is_local

    async def aclose(self) -> None:
        """Close the pool."""
        await self._http.aclose()

    async def turn(self) -> None:
        """Wait until the account may make one more request; `post_once` wants this first."""
        await self._limiter.acquire()

    async def get(self, path: str, *, deadline_s: float | None = None) -> Answer:
        """Ask for *path*; repeated while that can help and *deadline_s* lasts.

        The deadline of all of it is that of the settings, unless given.

        Whatever the provider answers for good is returned: success in JSON, or a client error.

        Raises:
            Unavailable, RateLimited, ApiUnreadable: the tries or the time ran out.
            Authentication: there is no key.
        """
        whole_s = self._deadline_s(deadline_s)
        return await self._repeated("GET", path, files=None, try_s=_TRY_S, deadline_s=whole_s)

    async def upload(self, path: str, files: Files, *, deadline_s: float | None = None) -> Answer:
        """Send *files* as a form. Costs nothing, so it is repeated as `get` is; raises as that."""
        whole_s = self._deadline_s(deadline_s)
        return await self._repeated("POST", path, files=files, try_s=whole_s, deadline_s=whole_s)

    async def post_once(self, path: str, content: bytes) -> Answer:
        """Send *content*, which is JSON and costs money, at most once.

        Raises:
            NotSentError: it is certain that nothing was sent.
            UnknownOutcome: it was sent, in part or whole, and there is no answer.
            Authentication: there is no key; nothing was sent.
        """
        deadline_s = self._settings.call_deadline_s
        request = self._request("POST", path, content=content)
        request.headers["Content-Type"] = "application/json"
        try:
            return await self._exchange(request, deadline_s)
        except _NOTHING_SENT as error:
            told_so = self._unreachable(error, deadline_s)
            raise NotSentError(ErrorCode.UNAVAILABLE, told_so) from None
        except (httpx.HTTPError, TimeoutError) as error:
            msg = f"the request was sent, but there was no answer: {told(error, deadline_s)}"
            raise UnknownOutcome(ErrorCode.UNKNOWN_OUTCOME, msg) from None

    @asynccontextmanager
    async def stream(self, url: str) -> AsyncIterator[httpx.Response]:
        """Open *url*, which is not the provider's API: no key, no retry, no redirect.

        The deadline of the whole is the caller's; a pause within has that of a call.
        """
        pauses = httpx.Timeout(self._settings.call_deadline_s, connect=CONNECT_S)
        async with self._http.stream(
            "GET", url, headers={"Accept": "*/*"}, timeout=pauses
        ) as response:
            yield response

    def _deadline_s(self, given_s: float | None) -> float:
        return self._settings.call_deadline_s if given_s is None else given_s

    async def _repeated(
        self, method: str, path: str, *, files: Files | None, try_s: float, deadline_s: float
    ) -> Answer:
        try:
            async with asyncio.timeout(deadline_s):
                for tries in count(1):
                    answer, error = await self._try(method, path, files, try_s)
                    if error is None:
                        assert answer is not None  # noqa: S101 - one of the two there is
                        return answer
                    if tries == MAX_TRIES:
                        raise error
                    asked_s = answer.retry_after_s if answer else None
                    await self.pace.sleep(pause_s(tries, self.pace.dice(), asked_s))
        except TimeoutError:
            pass
        msg = f"no answer from the provider within {deadline_s:g} s; try later"
        raise Unavailable(ErrorCode.UNAVAILABLE, msg)

    async def _try(
        self, method: str, path: str, files: Files | None, try_s: float
    ) -> tuple[Answer | None, PipelineError | None]:
        """An answer; with an error where another try could bring a better one."""
        await self.turn()
        try:
            answer = await self._exchange(self._request(method, path, files=files), try_s)
        except (httpx.HTTPError, TimeoutError) as error:
            return None, Unavailable(ErrorCode.UNAVAILABLE, self._unreachable(error, try_s))
        if answer.status in _REDIRECTS:
            raise refusal(answer)
        if answer.status == _TOO_MANY or answer.status >= _SERVER_ERROR:
            return answer, refusal(answer)
        if answer.is_success:
            try:
                _ = answer.data
            except ApiUnreadable as error:
                return answer, error
        return answer, None

    def _request(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        files: Files | None = None,
    ) -> httpx.Request:
        return self._http.build_request(
            method,
            f"{self._settings.base_url}{path}",
            content=content,
            files=files,
            headers={"Authorization": f"Bearer {self._settings.key}"},
        )

    async def _exchange(self, request: httpx.Request, deadline_s: float) -> Answer:
        """Send *request* and read its answer, as far as it comes.

        Raises:
            TimeoutError, httpx.HTTPError: before the head of an answer was there.
        """
        head: httpx.Response | None = None
        body, broken = bytearray(), None
        try:
            async with asyncio.timeout(deadline_s):
                head = await self._http.send(request, stream=True)
                broken = await _read_into(body, head)
        except (TimeoutError, httpx.HTTPError) as error:
            if head is None:
                raise
            broken = told(error, deadline_s)
        finally:
            if head is not None:
                await head.aclose()
        return Answer(
            status=head.status_code,
            body=self._without_key(bytes(body)),
            content_type=head.headers.get("Content-Type", ""),
            retry_after_s=parse_retry_after(head.headers.get("Retry-After"), self.pace.wall()),
            broken=broken,
        )

    def _without_key(self, body: bytes) -> bytes:
        """What repeats the key to us must not get it into an error or a log.

        One so short that it could be part of any word is none of this provider's.
        """
        key = self._settings.key.encode()
        return body.replace(key, b"***") if len(key) >= _SHORTEST_KEY else body

    def _unreachable(self, error: Exception, deadline_s: float) -> str:
        return (
            f"the provider at {self._settings.base_url} cannot be reached: "
            f"{told(error, deadline_s)}; check the network and CLIPREADY_BASE_URL, or try later"
        )


def packing(response: httpx.Response) -> str | None:
    """What is wrong with a body that would have to be unpacked, and could swell."""
    packed = response.headers.get("Content-Encoding", "identity")
    if packed.lower() == "identity":
        return None
    return f"it is packed ({foreign(packed)}), which was not asked for"


async def _read_into(body: bytearray, response: httpx.Response) -> str | None:
    """Read the body; why there is more of it than that, if there is."""
    if packed := packing(response):
        return packed
    async for chunk in response.aiter_bytes():
        body += chunk[: MAX_ANSWER_BYTES - len(body)]
        if len(body) == MAX_ANSWER_BYTES:
            return f"it is longer than {MAX_ANSWER_BYTES} bytes"
    return None


def told(error: Exception, deadline_s: float) -> str:
    """What went wrong on the way, for people."""
    if isinstance(error, TimeoutError):
        return f"nothing within {deadline_s:g} s"
    return f"{type(error).__name__}: {foreign(str(error))}".removesuffix(": ")
