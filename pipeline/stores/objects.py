"""Object storage: S3 and what speaks like it; Google's and Azure's by the same code, untested.

Objects are named by their content, so an upload that was done is not done again, and two that
happen at once write the same.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import httpx
import obstore
from obstore import exceptions
from obstore.store import AzureStore, GCSStore, S3Store, from_url

from pipeline.errors import ErrorCode, StoreError
from pipeline.redaction import foreign, guard_logs
from pipeline.settings import is_loopback
from pipeline.stores.content import Content, Stored, content_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from pipeline.stores.content import OnBytes
    from preprocess import Prepared

    Remote = S3Store | GCSStore | AzureStore

LONGEST = timedelta(days=7)
"""That a signature of version 4 may last (Amazon S3 user guide, presigned URLs, 2026)."""
SHORTEST = timedelta(hours=48)
"""An unfinished task ends after it (BytePlus ModelArk, 2026-08-03); until then it may fetch."""
_PART_BYTES = 5 << 20
"""The smallest that S3 takes."""
_PARTS_AT_ONCE = 4
_DIGEST = "sha256"
"""Metadata of an object that we wrote, which its name alone would not prove."""
_PEEK = 1024
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_TOKEN")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_ROLES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_GRACE_S, _SLOWEST_BYTES_PER_S = 60.0, 128 << 10
_CLIENT = {"connect_timeout": "5s", "timeout": "120s"}


class ObjectStore:
    """A bucket, and a prefix in it."""

    def __init__(
        self, url: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Read the settings: the usual ``AWS_``, ``GOOGLE_`` or ``AZURE_`` variables.

        Raises:
            StoreError: the URL or the settings cannot be used.
        """
        guard_logs()
        self._url = _checked_url(url)
        self._now = now
        self._local = self._url.startswith("s3:") and _has_local_endpoint(os.environ)
        self._remote = self._opened()
        # One picture as both frames of a clip is one object. Not every server replaces an object in
        # one step: rclone 1.75 broke off the answer of who was reading it just then.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __repr__(self) -> str:
        return f"ObjectStore({self._url!r})"

    async def put(self, prepared: Prepared, *, on_progress: OnBytes | None = None) -> Stored:
        """Write a file, or find it there; see that the URL works. Raises `StoreError`."""
        lifetime = self._lifetime()
        content = await content_of(prepared)
        deadline_s = _GRACE_S + content.size_bytes / _SLOWEST_BYTES_PER_S
        turn = self._turns.setdefault(content.name, asyncio.Lock())
        async with turn, self._told(content, deadline_s):
            reused = await self._is_there(content)
            if not reused:
                await self._write(content, on_progress)
            signed_at = self._now()
            url = await obstore.sign_async(self._remote, "GET", content.name, lifetime)
            await self._check_fetchable(url, content)
        if on_progress is not None and reused:
            on_progress(content.size_bytes, content.size_bytes)
        return Stored(
            url=url,
            expires_at=signed_at + lifetime,
            key=f"{self._url}/{content.name}",
            reused=reused,
            head_ok=isinstance(self._remote, AzureStore),
        )

    # --- opening ---------------------------------------------------------------------------------

    def _opened(self) -> Remote:
        retries: obstore.store.RetryConfig = {
            "max_retries": 3,
            "retry_timeout": timedelta(seconds=30),
        }
        client: obstore.store.ClientConfig = {**_CLIENT, "allow_http": self._local}  # type: ignore[typeddict-item]
        try:
            opened = from_url(self._url, client_options=client, retry_config=retries)
        except (exceptions.BaseError, ValueError) as error:
            msg = f"the store {self._url} cannot be opened: {self._foreign(error)}"
            raise StoreError(ErrorCode.STORE_URL, msg) from None
        assert isinstance(opened, S3Store | GCSStore | AzureStore)  # noqa: S101 - by its scheme
        return opened

    def _lifetime(self) -> timedelta:
        """How long a URL signed now is good.

        Raises:
            StoreError: not long enough.
        """
        if not self._url.startswith("s3:"):
            return LONGEST
        ends = _credentials_end(os.environ)
        lifetime = LONGEST if ends is None else min(LONGEST, ends - self._now())
        if lifetime < SHORTEST:
            hours = max(0.0, lifetime / timedelta(hours=1))
            msg = (
                f"the credentials of the store end in {hours:.1f} h, and the URLs with them; "
                f"needed: >= {SHORTEST / timedelta(hours=1):g} h. Use the key of a user, not of "
                "a session."
            )
            raise StoreError(ErrorCode.STORE_EXPIRES, msg)
        return lifetime

    # --- the object ------------------------------------------------------------------------------

    async def _is_there(self, content: Content) -> bool:
        """Whether the very content is there.

        Raises:
            StoreError: something else has its name.
        """
        try:
            found = await obstore.get_async(self._remote, content.name, options={"head": True})
        except FileNotFoundError:
            return False
        size, digest = found.meta["size"], found.attributes.get(_DIGEST)
        if size == content.size_bytes and digest is None:
            digest = await self._remote_digest(content.name)  # no metadata here, or not our upload
        if (size, digest) != (content.size_bytes, content.sha256):
            msg = (
                f"{self._url}/{content.name} is there with other content ({size:,} bytes; "
                f"wanted: {content.size_bytes:,} bytes of that digest); remove it, or use another "
                "prefix"
            )
            raise StoreError(ErrorCode.STORE_CONFLICT, msg)
        return True

    async def _remote_digest(self, name: str) -> str:
        digest = sha256()
        answer = await obstore.get_async(self._remote, name)
        async for chunk in answer.stream():
            digest.update(chunk)
        return digest.hexdigest()

    async def _write(self, content: Content, on_progress: OnBytes | None) -> None:
        await obstore.put_async(
            self._remote,
            content.name,
            _parts(content, on_progress),
            attributes={"Content-Type": content.media_type, _DIGEST: content.sha256},
            chunk_size=_PART_BYTES,
            max_concurrency=_PARTS_AT_ONCE,
        )

    async def _check_fetchable(self, url: str, content: Content) -> None:
        """Fetch the start of the object as the provider will, without our credentials."""
        peek = min(_PEEK, content.size_bytes)
        timeout = httpx.Timeout(30, connect=5)
        async with (
            httpx.AsyncClient(trust_env=not self._local, timeout=timeout) as client,
            client.stream(
                "GET",
                url,
                headers={"Range": f"bytes=0-{peek - 1}", "Accept-Encoding": "identity"},
            ) as answer,
        ):
            start = b""
            async for chunk in answer.aiter_raw():
                start += chunk
                if len(start) >= peek:
                    break
        # rclone 1.75 answers a range with 200, so the range itself is looked at.
        told = answer.headers.get("content-range", "")
        met = (answer.is_success, told.rpartition("/")[2], answer.headers.get("content-type"))
        if met != (True, str(content.size_bytes), content.media_type) or start[
            :peek
        ] != await asyncio.to_thread(_start, content, peek):
            msg = (
                f"{self._url}/{content.name} was stored, but its signed URL does not give it back: "
                f"HTTP {answer.status_code}, {told or 'no range'}, {met[2] or 'no type'}; needed: "
                f"{content.size_bytes:,} bytes of {content.media_type}. Look at the bucket's "
                "policy."
            )
            raise StoreError(ErrorCode.STORE_NOT_FETCHABLE, msg, status=answer.status_code)

    # --- how it is told --------------------------------------------------------------------------

    @asynccontextmanager
    async def _told(self, content: Content, deadline_s: float) -> AsyncIterator[None]:
        """Turn what the libraries say into `StoreError`, without secrets."""
        try:
            async with asyncio.timeout(deadline_s):
                yield
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            msg = (
                f"the store {self._url} lets nobody with these credentials do this; they have to "
                f"allow reading and writing objects there: {self._foreign(error)}"
            )
            raise StoreError(ErrorCode.STORE_DENIED, msg) from None
        except FileNotFoundError as error:
            msg = f"there is no {self._url}; make the bucket first: {self._foreign(error)}"
            raise StoreError(ErrorCode.STORE_NO_BUCKET, msg) from None
        except TimeoutError:
            msg = (
                f"the store {self._url} did not take {content.size_bytes:,} bytes within "
                f"{deadline_s:.0f} s; try again, or use one that is nearer"
            )
            raise StoreError(ErrorCode.STORE_UNREACHABLE, msg) from None
        except (exceptions.BaseError, httpx.HTTPError) as error:
            address = " (AWS_ENDPOINT_URL)" if self._url.startswith("s3:") else ""
            msg = (
                f"the store {self._url} cannot be used: {self._foreign(error)}; check its "
                f"address{address} and the network"
            )
            raise StoreError(ErrorCode.STORE_UNREACHABLE, msg) from None

    def _foreign(self, error: Exception) -> str:
        text = str(error).partition("\n\nDebug source")[0]
        return foreign(text, *(os.environ.get(name, "") for name in _SECRETS))


async def _parts(content: Content, on_progress: OnBytes | None) -> AsyncIterator[bytes]:
    """The file part by part; of one that changed the end never comes, so no object is made.

    Raises:
        StoreError: it is not what was prepared any more.
    """
    digest, sent = sha256(), 0
    with content.path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _PART_BYTES):
            digest.update(chunk)
            sent += len(chunk)
            yield chunk
            if on_progress is not None:
                on_progress(sent, content.size_bytes)
    if digest.hexdigest() != content.sha256:
        msg = f"{content.path.name} changed after it was prepared; prepare it again"
        raise StoreError(ErrorCode.STORE_CHANGED, msg)


def _start(content: Content, count: int) -> bytes:
    with content.path.open("rb") as file:
        return file.read(count)


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        msg = (
            f"a store of {parts.scheme}:// is named by bucket and prefix alone, as in "
            f"{parts.scheme}://my-bucket/clipready; credentials and endpoint are environment "
            "variables"
        )
        raise StoreError(ErrorCode.STORE_URL, msg)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _has_local_endpoint(environ: Mapping[str, str]) -> bool:
    """Whether the endpoint is plain http on this machine.

    Raises:
        StoreError: it is plain http elsewhere, which shows files and signatures to all between.
    """
    named = {name: environ[name] for name in _ENDPOINTS if environ.get(name)}
    plain = {name: url for name, url in named.items() if not url.lower().startswith("https://")}
    for name, url in plain.items():
        if not is_loopback(urlsplit(url).hostname or ""):
            msg = f"{name} is not https; allowed: https, and http to 127.0.0.1. Use https."
            raise StoreError(ErrorCode.STORE_INSECURE, msg)
    return bool(plain)


def _credentials_end(environ: Mapping[str, str]) -> datetime | None:
    """When the credentials of S3 run out; ``None``: never.

    Those of a session that does not say so count as run out: Amazon's last 36 h at most, a role's
    12 h (IAM user guide, temporary credentials, 2026).

    Raises:
        StoreError: there are none.
    """
    past = datetime.min.replace(tzinfo=UTC)
    if not (environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY")):
        if any(environ.get(name) for name in _ROLES):
            return past
        msg = "no credentials of the store; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise StoreError(ErrorCode.STORE_DENIED, msg)
    if not (environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_TOKEN")):
        return None
    try:
        ends = datetime.fromisoformat(environ.get("AWS_CREDENTIAL_EXPIRATION", ""))
    except ValueError:
        return past
    return ends if ends.tzinfo else ends.replace(tzinfo=UTC)
