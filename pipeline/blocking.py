"""The client without asyncio. Nothing is decided here: each method hands its twin to a loop.

The loop is the facade's own for its whole life, in a thread of its own. Callbacks are called there.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from pipeline.client import Client, ignore_event
from pipeline.jobs import WAIT_S, Clip, Job
from pipeline.settings import Settings
from preprocess import Options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from os import PathLike
    from types import TracebackType

    import httpx

    from pipeline.client import OnEvent
    from pipeline.draft import Draft
    from pipeline.fetch import Fetcher
    from pipeline.jobs import OnState
    from pipeline.ledger import Entry, Ledger
    from pipeline.pace import Pace
    from pipeline.price import Usd
    from pipeline.request import GenerationRequest
    from pipeline.stores import Store
    from preprocess import Intent

T = TypeVar("T")
_DEFAULT_OPTIONS = Options()


class SyncClient:
    """See `Client`.

        with SyncClient.from_environment() as client:
            job = client.submit(GenerationRequest(prompt="make it snow", video="clip.mov"))
            clip = job.wait(deadline_s=900)

    Raises:
        RuntimeError: from a running event loop, which it would block.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store | None = None,
        connection: httpx.AsyncBaseTransport | None = None,
        pace: Pace | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        _refuse_in_loop()
        self._client = Client(
            settings, store=store, connection=connection, pace=pace, fetcher=fetcher
        )
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal())

    @classmethod
    def from_environment(cls) -> Self:
        """See `Client.from_environment`."""
        return cls(Settings.from_environment())

    @property
    def ledger(self) -> Ledger:
        """What was asked, and what became of it."""
        return self._client.ledger

    def __repr__(self) -> str:
        return repr(self._client).replace(Client.__name__, type(self).__name__, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """See `Client.aclose`."""
        with self._stack:
            self._portal.call(self._client.aclose)

    def submit(
        self,
        request: GenerationRequest,
        *,
        key: str | None = None,
        max_cost_usd: Usd | None = None,
        intent: Intent | None = None,
        options: Options = _DEFAULT_OPTIONS,
        as_is: bool = False,
        on_event: OnEvent = ignore_event,
    ) -> SyncJob:
        """See `Client.submit`."""
        work = partial(
            self._client.submit,
            request,
            key=key,
            max_cost_usd=max_cost_usd,
            intent=intent,
            options=options,
            as_is=as_is,
            on_event=on_event,
        )
        return SyncJob(self._portal, _called(self._portal, work))

    def draft(
        self,
        request: GenerationRequest,
        *,
        key: str | None = None,
        max_cost_usd: Usd | None = None,
        intent: Intent | None = None,
        options: Options = _DEFAULT_OPTIONS,
        as_is: bool = False,
        on_event: OnEvent = ignore_event,
    ) -> Draft:
        """See `Client.draft`."""
        work = partial(
            self._client.draft,
            request,
            key=key,
            max_cost_usd=max_cost_usd,
            intent=intent,
            options=options,
            as_is=as_is,
            on_event=on_event,
        )
        return _called(self._portal, work)

    def resume(self, key: str, *, job_id: str | None = None) -> SyncJob:
        """See `Client.resume`."""
        work = partial(self._client.resume, key, job_id=job_id)
        return SyncJob(self._portal, _called(self._portal, work))

    def fetch_model(self, model: str) -> object:
        """See `Client.fetch_model`."""
        return _called(self._portal, partial(self._client.fetch_model, model))


class SyncJob:
    """See `Job`."""

    def __init__(self, portal: BlockingPortal, job: Job) -> None:
        self._portal = portal
        self._job = job
        self.key = job.key

    def __repr__(self) -> str:
        return f"SyncJob({self.key!r})"

    @property
    def entry(self) -> Entry:
        """What the ledger knows of it now."""
        return self._job.entry

    def wait(
        self,
        *,
        deadline_s: float = WAIT_S,
        directory: str | PathLike[str] = ".",
        on_state: OnState | None = None,
    ) -> Clip:
        """See `Job.wait`."""
        work = partial(
            self._job.wait, deadline_s=deadline_s, directory=directory, on_state=on_state
        )
        return _called(self._portal, work)


def _called(portal: BlockingPortal, work: Callable[[], Awaitable[T]]) -> T:
    """What *work* returns. An interrupt of this thread cancels it, and waits for its end.

    By then the ledger has what became of a request that was under way.
    """
    _refuse_in_loop()
    ended = threading.Event()

    async def watched() -> T:
        try:
            return await work()
        finally:
            ended.set()

    future = portal.start_task_soon(watched)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        ended.wait()
        raise


def _refuse_in_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    msg = "SyncClient would block the event loop that runs here; use Client, and await it"
    raise RuntimeError(msg)
