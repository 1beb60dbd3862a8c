"""What the commands that speak to the provider do, and how it ends. Prints nothing."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.blocking import SyncClient
from pipeline.draft import Draft
from pipeline.drift import Difference, compare
from pipeline.errors import PipelineError
from pipeline.jobs import Clip
from pipeline.ledger import Entry
from pipeline.price import Quote
from pipeline.settings import Settings
from pipeline.terminal.submit.jobs import full_key, opened
from pipeline.terminal.submit.outcome import Status, Trouble, trouble_of
from pipeline.terminal.submit.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.answers import JobState
    from pipeline.assemble import AssetProgress
    from pipeline.blocking import SyncJob
    from pipeline.terminal.submit.order import Order, Wait
    from preprocess import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a submission ended, and what there is of it."""

    status: Status
    quote: Quote | None = None
    draft: Draft | None = None
    entry: Entry | None = None
    """As the ledger has it now; ``None`` where nothing was to be sent yet."""
    clip: Clip | None = None
    trouble: Trouble | None = None


@dataclass(slots=True)
class Submission:
    """One call that goes from a request, or from a job, towards a clip."""

    steps: Steps = field(default_factory=lambda: Steps(lambda _: None))
    """Where it is told how far it is."""
    quote: Quote | None = None
    key: str | None = None
    unheard: BrokenPipeError | None = None
    """Whoever it was told to is gone."""

    def draft(self, order: Order) -> Ended:
        """Say what would be sent."""

        def work(client: SyncClient) -> Ended:
            draft = client.draft(
                order.request,
                key=order.key,
                max_cost_usd=order.max_cost_usd,
                intent=order.intent,
                options=order.options,
                as_is=order.as_is,
                on_event=self._on_event,
            )
            return Ended(
                status=Status.DRAFTED, quote=draft.quote, draft=draft, entry=draft.sent_before
            )

        return self._ended(work, store=order.store)

    def submit(self, order: Order) -> Ended:
        """Prepare, store, send, and wait as ordered."""

        def work(client: SyncClient) -> Ended:
            job = client.submit(
                order.request,
                key=order.key,
                max_cost_usd=order.max_cost_usd,
                intent=order.intent,
                options=order.options,
                as_is=order.as_is,
                on_event=self._on_event,
            )
            return self._waited(job, order.wait)

        return self._ended(work, store=order.store)

    def resume(self, key: str, *, job_id: str | None, wait: Wait) -> Ended:
        """Wait for a job that was sent before."""

        def work(client: SyncClient) -> Ended:
            self.key = full_key(client.ledger, key)
            job = client.resume(self.key, job_id=job_id)
            self._on_event(job.entry)
            return self._waited(job, wait)

        return self._ended(work)

    def _waited(self, job: SyncJob, wait: Wait | None) -> Ended:
        if wait is None:
            return Ended(status=Status.SUBMITTED, quote=self.quote, entry=job.entry)
        clip = job.wait(deadline_s=wait.deadline_s, directory=wait.directory, on_state=self._tell)
        self.steps.finish()
        return Ended(status=Status.DONE, quote=self.quote, entry=job.entry, clip=clip)

    def _ended(self, work: Callable[[SyncClient], Ended], *, store: str | None = None) -> Ended:
        try:
            with SyncClient(_settings(store)) as client:
                return work(client)
        except Exception as error:  # noqa: BLE001 - a job that is paid for needs an answer
            trouble = trouble_of(error)
        return Ended(status=trouble.status, quote=self.quote, entry=self.entry(), trouble=trouble)

    def _on_event(self, event: AssetProgress | Quote | Entry) -> None:
        if isinstance(event, Quote):
            self.quote = event
        if isinstance(event, Entry):
            self.key = event.key
        self._tell(event)

    def _tell(self, event: AssetProgress | Quote | Entry | JobState) -> None:
        """Tell, on the loop's thread: to raise there would stop nothing, so stop as Ctrl-C does."""
        if self.unheard is not None:
            return
        try:
            self.steps.take(event)
        except BrokenPipeError as error:
            self.unheard = error
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def entry(self) -> Entry | None:
        """What the ledger has of the job now, if there is any."""
        if self.key is None:
            return None
        try:
            with opened() as ledger:
                return ledger.find(self.key)
        except PipelineError:  # told already, or by whoever asks next
            return None


def _settings(store: str | None = None) -> Settings:
    settings = Settings.from_environment()
    return settings if store is None else settings.model_copy(update={"store": store})


def compared(profile: Profile) -> tuple[Difference, ...]:
    """Where the provider's description of the model and *profile* differ.

    Raises:
        PipelineError: the provider cannot be asked.
    """
    with SyncClient.from_environment() as client:
        return compare(profile, client.fetch_model(profile.model))
