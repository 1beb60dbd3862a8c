"""From a request to its clip: the client, for asyncio. `pipeline.blocking` is the same without."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote as quoted

from pipeline.assemble import AssetProgress, assemble, plan_media
from pipeline.draft import Draft, expected_urls
from pipeline.errors import ErrorCode, LedgerError, PipelineError
from pipeline.jobs import Job, Jobs
from pipeline.ledger import Entry, Ledger, kept, key_reused
from pipeline.price import Quote, check_cost, quote
from pipeline.refusals import refusal
from pipeline.request import MEDIA_FIELDS, GenerationRequest, Resolved, body, job_key, resolve
from pipeline.settings import Settings
from pipeline.stores import open_store
from pipeline.transport import Transport
from preprocess import Intent, Options, Profile, load_profile, profile_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    import httpx

    from pipeline.assemble import Planned
    from pipeline.fetch import Fetcher
    from pipeline.pace import Pace
    from pipeline.price import Usd
    from pipeline.stores import Store

    OnEvent = Callable[[AssetProgress | Quote | Entry], None]

_KEYS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_DEFAULT_OPTIONS = Options()


def ignore_event(_: AssetProgress | Quote | Entry) -> None:
    """Do nothing."""


class Client:
    """One account at one provider, with one ledger.

        async with Client.from_environment() as client:
            job = await client.submit(GenerationRequest(prompt="make it snow", video="clip.mov"))
            clip = await job.wait(deadline_s=900)

    To be used from one event loop. *store*, *connection*, *pace* and *fetcher* stand in for what
    the settings name, the network, the clock, and the way to URLs of media.
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
        self._settings = settings
        self._store = store
        self._fetcher = fetcher
        self._transport = Transport(settings, pace=pace, connection=connection)
        self._ledger = Ledger(settings.home)
        self._jobs = Jobs(settings, self._transport, self._ledger)

    @property
    def ledger(self) -> Ledger:
        """What was asked, and what became of it."""
        return self._ledger

    @classmethod
    def from_environment(cls) -> Self:
        """A client by the settings of docs/submit.md.

        Raises:
            SettingsInvalid: one makes no sense.
            LedgerError: the ledger cannot be used.
        """
        return cls(Settings.from_environment())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections and ledger. Jobs go on at the provider."""
        await self._transport.aclose()
        self._ledger.close()

    async def submit(
        self,
        request: GenerationRequest,
        *,
        key: str | None = None,
        max_cost_usd: Usd | None = None,
        intent: Intent | None = None,
        options: Options = _DEFAULT_OPTIONS,
        as_is: bool = False,
        on_event: OnEvent = ignore_event,
    ) -> Job:
        """Prepare the media, store them, and have the provider make a clip of them: once.

        *key* names the job; by default the request's content does. A key that was sent before
        gives the job of then, and nothing is sent. *max_cost_usd* refuses what may cost more.
        *intent* and *options* are those of `preprocess.prepare_file`; *as_is* passes public HTTPS
        URLs on. *on_event* gets the progress of each medium, the price before anything is prepared,
        and the ledger's entry: before it is sent, with the key, and once the job is accepted.

        Raises:
            RequestRejected, CostTooHigh: nothing was sent.
            SourceError, StoreError, PreparationFailed: a medium cannot be had, prepared or stored.
            UnknownOutcome: it was sent, now or before, and nobody knows what became of it.
            PipelineError: the provider refuses it, or cannot be reached. No job was made.
            LedgerError: the ledger cannot be used, or the key stands for something else.
        """
        resolved = resolve(request, _profile_of(request, intent))
        _ = self._settings.key  # before any work is done
        if key is not None and self._was_sent(key, resolved):
            return await self._existing(key, on_event)
        with tempfile.TemporaryDirectory(prefix="clipready-") as folder:
            planned = await plan_media(
                *(resolved, Path(folder)),
                intent=intent,
                options=options,
                fetcher=self._fetcher,
                as_is=as_is,
                on_progress=on_event,
            )
            fingerprint = job_key(resolved, planned.digests)
            name = key or fingerprint
            if self._sent_before(name, fingerprint) is not None:
                return await self._existing(name, on_event)
            priced = quote(resolved, planned.input_s)
            on_event(priced)
            check_cost(priced, max_cost_usd)
            assembled = await assemble(
                *(planned, self._store_for(planned), Path(folder)),
                options=options,
                on_progress=on_event,
            )
        posted = body(resolved, assembled.urls)
        cost_usd = float(quote(resolved, assembled.input_s).max_usd)
        entry = self._ledger.intend(
            name, fingerprint=fingerprint, request=posted, cost_usd=cost_usd
        )
        on_event(entry)
        job = await self._jobs.post(entry, posted)
        on_event(job.entry)
        return job

    async def draft(
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
        """What `submit` would send, and what it would cost. Media are looked at, no more.

        Arguments are those of `submit`. Neither a key of the account nor a store is needed; what
        `submit` would fail for without them is in ``missing``.

        Raises:
            RequestRejected, CostTooHigh, SourceError, PreparationFailed, LedgerError: as `submit`.
        """
        resolved = resolve(request, _profile_of(request, intent))
        if key is not None:
            self._was_sent(key, resolved)  # raises where it cannot be the key of this
        with tempfile.TemporaryDirectory(prefix="clipready-") as folder:
            planned = await plan_media(
                *(resolved, Path(folder)),
                intent=intent,
                options=options,
                fetcher=self._fetcher,
                as_is=as_is,
                on_progress=on_event,
            )
        fingerprint = job_key(resolved, planned.digests)
        name = key or fingerprint
        priced = quote(resolved, planned.input_s)
        on_event(priced)
        check_cost(priced, max_cost_usd)
        return Draft(
            key=name,
            body=body(resolved, expected_urls(planned, self._settings.store)),
            quote=priced,
            plans=planned.plans,
            missing=tuple(self._missing(planned)),
            sent_before=self._sent_before(name, fingerprint),
        )

    async def resume(self, key: str, *, job_id: str | None = None) -> Job:
        """The job of *key*, to be waited for. Nothing is ever sent by this.

        *job_id*, from the provider's own list of jobs, settles a job of unknown outcome.

        Raises:
            UnknownOutcome: nobody knows whether there is one.
            LedgerError: the key is not known, or was never sent.
            StillPending: another process is sending it, and does not come to an end.
        """
        return await self._jobs.existing(key, job_id=job_id)

    async def fetch_model(self, model: str) -> object:
        """What the provider says about a model, as JSON.

        Raises:
            PipelineError: it says nothing, or nothing that can be read.
        """
        answer = await self._transport.get(f"/v1/models/{quoted(model, safe='')}")
        if not answer.is_success:
            raise refusal(answer)
        return answer.data

    def _sent_before(self, key: str, fingerprint: str) -> Entry | None:
        """The job of *key*, if there is one already.

        Raises:
            LedgerError: it is one of other content.
        """
        entry = self._ledger.find(key)
        if entry is None or entry.may_be_sent:
            return None
        entry.check_is(fingerprint)
        return entry

    async def _existing(self, key: str, on_event: OnEvent) -> Job:
        job = await self._jobs.existing(key)
        on_event(job.entry)
        return job

    def _missing(self, planned: Planned) -> Iterator[PipelineError]:
        """Settings that `submit` would fail for."""
        try:
            _ = self._settings.key
        except PipelineError as error:
            yield error
        try:
            self._store_for(planned)
        except PipelineError as error:
            yield error

    def _was_sent(self, key: str, resolved: Resolved) -> bool:
        """Whether *key* was sent before, with these parameters and the same kinds of media.

        Media are not compared: that would mean to prepare them all.
        """
        if not _KEYS.fullmatch(key):
            msg = f"{key!r} cannot be a key; allowed: up to 100 letters, digits, '.', '_' and '-'"
            raise LedgerError(ErrorCode.LEDGER_KEY, msg)
        entry = self._ledger.find(key)
        if entry is None or entry.may_be_sent:
            return False
        asked = dict(entry.request)
        same_media = {name for name in MEDIA_FIELDS if asked.pop(name, None)} == set(resolved.media)
        if not same_media or asked != kept(
            {"model": resolved.profile.model, **resolved.parameters}
        ):
            raise key_reused(key)
        return True

    def _store_for(self, planned: Planned) -> Store | None:
        if self._store is not None or not planned.files:
            return self._store
        return open_store(self._settings.store, transport=self._transport)


def _profile_of(request: GenerationRequest, intent: Intent | None) -> Profile:
    """The profile of the intent, else the one named like the model, if there is one."""
    if intent is not None:
        return load_profile(intent.profile)
    known = request.model in profile_names()
    return load_profile(request.model if known else Intent().profile)
