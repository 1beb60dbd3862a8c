"""The finished clip, from the provider's store to its name here: it plays, or is not there.

What comes is a stranger's file: bounded, and looked at by a worker only.
"""

from __future__ import annotations

import asyncio
import filecmp
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Never
from urllib.parse import urlsplit

import httpx

from pipeline.errors import DownloadFailed, ErrorCode
from pipeline.retry import MAX_TRIES, pause_s
from pipeline.settings import is_loopback
from pipeline.transport import packing, told
from preprocess import (
    Facts,
    FailureCode,
    InputRejected,
    PreparationFailed,
    decode_clip_async,
    endings,
    finish_temporary,
    temporary,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.transport import Transport

MAX_CLIP_BYTES = 1 << 30
"""Far over any clip of 15 s; a bound for what a broken server may fill the disk with."""
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_OK = 200
_RESUME = "the job is paid for and not lost: resume it"
_TARGET = frozenset(
    {
        FailureCode.TARGET_EXISTS,
        FailureCode.TARGET_NOT_WRITABLE,
        FailureCode.DISK_FULL,
        FailureCode.OUTPUT_LIMIT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A clip that is here, and plays."""

    path: Path
    sha256: str
    facts: Facts


async def download_clip(
    transport: Transport,
    url: str,
    *,
    directory: Path,
    stem: str,
    deadline_s: float,
    max_bytes: int = MAX_CLIP_BYTES,
) -> Downloaded:
    """Bring the clip behind *url* into *directory*, named *stem* and the ending of what it is.

    A file of that name with the same bytes counts as the result; no other is replaced.

    Raises:
        DownloadFailed: it cannot be had in *deadline_s*, is no clip, or cannot be written.
    """
    _check_url(url, local=transport.is_local)
    with _as_download_failed(), temporary(directory / f"{stem}.mp4") as hidden:
        try:
            async with asyncio.timeout(deadline_s):
                await _fetch(transport, url, hidden, max_bytes)
                facts = await decode_clip_async(hidden)
        except TimeoutError:
            _fail(f"the clip was not here within {deadline_s:g} s; {_RESUME}")
        target = directory / f"{stem}.{endings(facts.container or 'mp4')[0]}"
        return Downloaded(path=target, sha256=_named(hidden, target), facts=facts)


def _fail(message: str, code: ErrorCode = ErrorCode.DOWNLOAD_FAILED) -> Never:
    raise DownloadFailed(code, message)


def _check_url(url: str, *, local: bool) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        _fail("the provider gives an address of the clip that is none")
    if not host or not (
        parts.scheme == "https" or (parts.scheme == "http" and local and is_loopback(host))
    ):
        _fail(f"the provider gives an address of the clip by {parts.scheme}; allowed: https")


@contextmanager
def _as_download_failed() -> Iterator[None]:
    try:
        yield
    except InputRejected as rejected:
        msg = f"what the provider gave as the clip does not play: {rejected}; {_RESUME}"
        raise DownloadFailed(ErrorCode.DOWNLOAD_NO_CLIP, msg) from rejected
    except PreparationFailed as failed:
        code = ErrorCode.DOWNLOAD_TARGET if failed.code in _TARGET else ErrorCode.DOWNLOAD_FAILED
        msg = f"the clip is not here: {failed.message}; {_RESUME}"
        raise DownloadFailed(code, msg, detail=failed.detail) from failed


async def _fetch(transport: Transport, url: str, hidden: Path, max_bytes: int) -> None:
    for tries in count(1):
        trouble = await _try(transport, url, hidden, max_bytes)
        if trouble is None:
            return
        if tries == MAX_TRIES:
            _fail(f"the clip could not be downloaded: {trouble}; {_RESUME}")
        await transport.pace.sleep(pause_s(tries, transport.pace.dice()))


async def _try(transport: Transport, url: str, hidden: Path, max_bytes: int) -> str | None:
    """Write the clip from its first byte on; what is in the way, if another try may help."""
    try:
        async with transport.stream(url) as response:
            if response.status_code in _AGAIN:
                return f"HTTP {response.status_code}"
            if response.status_code != _OK:
                _fail(f"the clip cannot be downloaded: HTTP {response.status_code}; {_RESUME}")
            if packed := packing(response):
                return packed
            size = await _write(response, hidden, max_bytes)
            promised = response.headers.get("Content-Length", "")
            if promised.isdigit() and int(promised) != size:
                return f"{size} of {promised} bytes came"
    except httpx.HTTPError as error:
        return told(error, 0)
    except httpx.InvalidURL:
        _fail("the provider gives an address of the clip that is none")
    return None


async def _write(response: httpx.Response, hidden: Path, max_bytes: int) -> int:
    size = 0
    with hidden.open("r+b") as file:
        file.truncate()
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > max_bytes:
                msg = f"the clip is larger than {max_bytes} bytes; no clip of a job is"
                _fail(msg, ErrorCode.DOWNLOAD_TOO_LARGE)
            file.write(chunk)
    return size


def _named(hidden: Path, target: Path) -> str:
    """Give the clip its name; its SHA-256."""
    try:
        return finish_temporary(hidden, target)
    except PreparationFailed as failed:
        # A run that was killed after this step, or a second one beside us, has brought it already.
        if failed.code is not FailureCode.TARGET_EXISTS or not _same(hidden, target):
            raise
    digest = sha256_of(target)
    if digest is None:
        _fail(f"{target.name} went away meanwhile; {_RESUME}")
    return digest


def sha256_of(path: Path) -> str | None:
    """The digest of a file, if it can be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)
