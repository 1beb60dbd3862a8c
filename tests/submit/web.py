"""A web server on this machine that says exactly what a test has it say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Say = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Web:
    """What is said for each path, and what was asked."""

    pages: dict[str, Say]
    base: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Paths and headers, names in lower case."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            path = first.split(" ")[1].partition("?")[0]
            headers = {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in lines if x)}
            await reader.readexactly(int(headers.get("content-length", 0)))
            self.asked.append((path, headers))
            await self.pages[path](writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(**pages: Say) -> AsyncIterator[Web]:
    """A server whose path ``/name`` says *pages[name]*."""
    web = Web({f"/{name}": say for name, say in pages.items()})
    server = await asyncio.start_server(web._serve, "127.0.0.1", 0)
    web.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield web


def head(status: str = "200 OK", **headers: str) -> bytes:
    """A status line and headers, ``_`` for ``-``."""
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def says(body: bytes, status: str = "200 OK", **headers: str) -> Say:
    """Always the same answer."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, Content_Length=str(len(body)), **headers) + body)

    return say


def sends_to(location: str, status: str = "302 Found") -> Say:
    """A redirect."""
    return says(b"", status, Location=location)


def never_ends(chunk: bytes, pause_s: float = 0, **headers: str) -> Say:
    """A body without length or end."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(head(**headers))
        while True:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return say
