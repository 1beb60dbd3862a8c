"""Ways in which sending a request goes wrong, with and without a job being made of it."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from tests.submit.support import Server

Fault = Callable[[Server, httpx.Request], httpx.Response | None]

ANSWERS = {
    "429": lambda: httpx.Response(429, json={"error": {"code": "rate_limit_exceeded"}}),
    "429 page": lambda: httpx.Response(429, html="<html>slow down</html>"),
    "400": lambda: httpx.Response(400, json={"error": {"message": "no such parameter"}}),
    "401": lambda: httpx.Response(401, json={"error": {"code": "invalid_api_key"}}),
    "402": lambda: httpx.Response(402, json={"error": {"code": "insufficient_credits"}}),
    "404 page": lambda: httpx.Response(404, html="<html>nothing here</html>"),
    "408": lambda: httpx.Response(408),
    "409": lambda: httpx.Response(409, json={"error": {"message": "conflict"}}),
    "302": lambda: httpx.Response(302, headers={"Location": "https://evil.test/"}),
    "500": lambda: httpx.Response(500, json={"error": {"code": "upstream_error"}}),
    "502 page": lambda: httpx.Response(502, html="<html>bad gateway</html>"),
    "503": lambda: httpx.Response(503, json={"error": {"code": "model_unavailable"}}),
    "200 page": lambda: httpx.Response(200, html="<!doctype html>"),
    "200 half": lambda: httpx.Response(200, content=b'{"job_id": "jo'),
    "200 empty": lambda: httpx.Response(200, content=b""),
    "200 no id": lambda: httpx.Response(200, json={"status": "queued"}),
}
BREAKS: dict[str, Exception] = {
    "refused": httpx.ConnectError("refused"),
    "no name": httpx.ConnectError("name not known"),
    "TLS": httpx.ConnectError("certificate"),
    "connect late": httpx.ConnectTimeout("late"),
    "reset writing": httpx.WriteError("reset"),
    "reset reading": httpx.ReadError("reset"),
    "closed": httpx.RemoteProtocolError("closed"),
    "read late": httpx.ReadTimeout("late"),
    "proxy": httpx.ProxyError("proxy"),
    "bug": RuntimeError("of ours"),
}

UNSENT = frozenset({"refused", "no name", "TLS", "connect late"})
"""Nothing was sent."""
REFUSED = frozenset({"400", "401", "402", "404 page"})
"""Sent, and certainly no job."""
LATER = frozenset({"429", "429 page"}) | UNSENT
"""Certainly no job, and another try may help."""


def fault(name: str, *, made: bool) -> Fault:
    """The fault of that name; *made*: a job is made of the request all the same."""

    def happen(server: Server, request: httpx.Request) -> httpx.Response | None:
        if made:
            server.accept(request)
        if name in BREAKS:
            raise BREAKS[name]
        return ANSWERS[name]()

    return happen


def possible(name: str, *, made: bool) -> bool:
    """Whether an honest server can do that: no job from nothing, none behind a refusal."""
    return not (made and name in REFUSED | LATER)


NAMES = (*ANSWERS, *BREAKS)
CASES = [(name, made) for name in NAMES for made in (False, True) if possible(name, made=made)]
