"""One job from the request to the clip: sent at most once, whatever happens.

    post     intent -> sent -> accepted, or failed, or unknown
    Job.wait accepted -> done -> downloaded, or failed

No step is taken before the ledger has it on the disk. So after a crash the ledger says the truth,
or something more careful: what was not sent may be called unknown, never the other way round.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.answers import JobKind, JobState, Problem, job_path, read_accepted, read_job
from pipeline.download import download_clip, sha256_of
from pipeline.errors import (
    ApiUnreadable,
    DownloadFailed,
    ErrorCode,
    Expired,
    Failure,
    LedgerError,
    PipelineError,
    RateLimited,
    StillPending,
    Unavailable,
    UnknownOutcome,
)
from pipeline.ledger import State
from pipeline.refusals import is_certain, job_failure, refusal
from pipeline.retry import MAX_TRIES, pause_s, poll_pause_s
from pipeline.transport import NotSentError
from preprocess import Facts, decode_clip_async

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from pipeline.answers import Answer
    from pipeline.ledger import Entry, Ledger
    from pipeline.settings import Settings
    from pipeline.transport import Transport

    OnState = Callable[[JobState], None]

PATH = "/v1/videos/generations"
WAIT_S = 900.0
"""For a job, unless the caller says otherwise."""
_GONE = 404
_MISSES = 3
"""Answers "unknown job" in a row before that is believed: a new one may not be known everywhere."""
_LAST_LOOK_S = 1.0
"""For a look that the deadline leaves no time for; a deadline of 0 still looks once."""
_OTHERS_S = 0.5
"""Between two looks at a job that another process is sending."""
_IN_FLIGHT = frozenset({State.ACCEPTED, State.DONE, State.DOWNLOADED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A generated clip that is here."""

    path: Path
    facts: Facts
    key: str
    cost_usd: float | None
    """The most it may have cost."""
    url: str | None = field(repr=False)
    """Where it came from, signed; ``None`` where it was here already."""


@dataclass(frozen=True, slots=True)
class _Later:
    """No job was made, and there may be one if we come again."""

    error: PipelineError
    asked_s: float | None = None


class Jobs:
    """Sends requests and follows jobs, for one account and one ledger."""

    def __init__(self, settings: Settings, transport: Transport, ledger: Ledger) -> None:
        self.settings = settings
        self.transport = transport
        self.ledger = ledger
        self.pace = transport.pace
        self._waiting = 0

    async def post(self, entry: Entry, body: Mapping[str, object]) -> Job:
        """Send *body* for *entry*, unless that was done before; the job it became.

        What certainly made no job (nothing was sent, too many requests) is tried again.

        Raises:
            UnknownOutcome: it was sent, now or before, and nobody knows what became of it.
            StillPending: another process is sending it, and does not come to an end.
            PipelineError: the provider refuses it, or cannot be reached. No job was made.
            LedgerError: the ledger cannot be used.
        """
        _ = self.settings.key  # without one nothing is sent
        content = json.dumps(body, allow_nan=False).encode()
        tries, looks = 0, 0
        while self._current(entry).may_be_sent:
            await self.transport.turn()
            with self.ledger.sending(entry.key) as mine:
                later = await self._claim_and_send(entry, content) if mine else None
            if later is not None:
                tries += 1
                if tries == MAX_TRIES:
                    raise later.error
                await self.pace.sleep(pause_s(tries, self.pace.dice(), later.asked_s))
            elif not mine:
                looks = await self._let_others(entry.key, looks)
        return await self.existing(entry.key)

    async def existing(self, key: str, *, job_id: str | None = None) -> Job:
        """The job of *key*, which was sent before.

        *job_id*, as the provider's own list shows it, settles a job of unknown outcome.

        Raises:
            UnknownOutcome: nobody knows whether there is one.
            StillPending: another process is sending it, and does not come to an end.
            LedgerError: it was never sent, or the ledger cannot be used.
        """
        looks = 0
        while (entry := self._settled(key)).state is State.SENT:
            looks = await self._let_others(key, looks)
        if entry.state is State.UNKNOWN and job_id is not None:
            path = job_path(self.settings.base_url, job_id, None)
            note = "the job id was given by hand"
            self._accept(entry, job_id, path, note)
        elif entry.state is State.UNKNOWN:
            raise _unknown(entry, self.ledger.history(entry)[-1].note or "", entry.error)
        elif entry.may_be_sent:
            why = f" ({entry.error.message})" if entry.error else ""
            msg = f"the job {key} was never sent{why}, nothing was billed; submit it again"
            raise LedgerError(ErrorCode.LEDGER_NOT_SENT, msg)
        return Job(self, key)

    def _settled(self, key: str) -> Entry:
        """The entry; one whose sender is gone becomes unknown."""
        entry = self.ledger.get(key)
        if entry.state is not State.SENT:
            return entry
        with self.ledger.sending(key) as mine:
            if mine:
                self.ledger.move(entry, State.UNKNOWN, of=(State.SENT,), note="its sender is gone")
        return self.ledger.get(key)

    async def _let_others(self, key: str, looks: int) -> int:
        if looks * _OTHERS_S > 2 * self.settings.call_deadline_s:
            msg = f"another process is sending the job {key}, and does not end; look at it"
            raise StillPending(ErrorCode.STILL_PENDING, msg)
        await self.pace.sleep(_OTHERS_S)
        return looks + 1

    def _current(self, entry: Entry) -> Entry:
        """The entry as it is now, of the same content."""
        current = self.ledger.get(entry.key)
        current.check_is(entry.fingerprint)
        return current

    async def _claim_and_send(self, entry: Entry, content: bytes) -> _Later | None:
        """Send, if the ledger lets us; of several who ask, it lets one."""
        sent = self.ledger.move(self._current(entry), State.SENT, of=(State.INTENT, State.FAILED))
        return None if sent is None else await self._send(sent, content)

    async def _send(self, entry: Entry, content: bytes) -> _Later | None:
        """Send once; why it may be sent again later, if nothing came of it."""
        try:
            answer = await self.transport.post_once(PATH, content)
        except NotSentError as error:
            self._no_job(entry, error)
            return _Later(error)
        except UnknownOutcome as error:
            raise self._lost(entry, error) from error
        except BaseException as error:  # cancelled, interrupted: it may be out
            self._lost(entry, error)
            raise
        if answer.is_success:
            self._taken(entry, answer)
            return None
        refused = refusal(answer)
        if not is_certain(answer):
            raise self._lost(entry, refused) from refused
        self._no_job(entry, refused)
        if not isinstance(refused, RateLimited):
            raise refused
        return _Later(refused, answer.retry_after_s)

    def _taken(self, entry: Entry, answer: Answer) -> None:
        try:
            accepted = read_accepted(answer)
        except ApiUnreadable as error:
            raise self._lost(entry, error) from error
        path = job_path(self.settings.base_url, accepted.job_id, accepted.poll_url)
        self._accept(entry, accepted.job_id, path, None)

    def _accept(self, entry: Entry, job_id: str, path: str, note: str | None) -> None:
        of = (State.SENT, State.UNKNOWN)
        try:
            self.ledger.move(
                entry, State.ACCEPTED, of=of, note=note, job_id=job_id, poll_path=path, error=None
            )
        except LedgerError as error:
            msg = (
                f"the provider took {entry.key} as its job {job_id}, but that could not be written "
                f"down; keep the number, and resume with it. {error.message}"
            )
            raise LedgerError(error.code, msg) from error

    def _no_job(self, entry: Entry, error: PipelineError) -> None:
        self.ledger.move(
            entry, State.FAILED, of=(State.SENT,), note=error.message, error=Failure.of(error)
        )

    def _lost(self, entry: Entry, error: BaseException) -> UnknownOutcome:
        failure = Failure.of(error) if isinstance(error, PipelineError) else None
        note = failure.message if failure else f"sending was cut short ({type(error).__name__})"
        # Where even this cannot be written, "sent" without a sender means the same.
        with suppress(LedgerError):
            self.ledger.move(entry, State.UNKNOWN, of=(State.SENT,), note=note, error=failure)
        return _unknown(entry, note, failure)

    # --- following a job -------------------------------------------------------------------------

    async def wait(
        self, key: str, *, deadline_s: float, directory: Path, on_state: OnState | None
    ) -> Clip:
        """See `Job.wait`."""
        end = self.pace.clock() + deadline_s
        entry = self.ledger.get(key)
        if entry.state is State.FAILED and entry.error is not None:
            raise entry.error.error()
        here = await self._already_here(entry)
        if here is not None:
            return here
        self._waiting += 1
        try:
            state = await self._finished(entry, end, deadline_s, on_state)
        finally:
            self._waiting -= 1
        if state.kind is JobKind.FAILED:
            error = job_failure(state.error or Problem())
            failure = Failure.of(error)
            self.ledger.move(entry, State.FAILED, of=_IN_FLIGHT, note=error.message, error=failure)
            raise error
        self.ledger.move(entry, State.DONE, of=(State.ACCEPTED,))
        return await self._downloaded(entry, state, directory, end)

    async def _already_here(self, entry: Entry) -> Clip | None:
        if entry.state is not State.DOWNLOADED or entry.output is None:
            return None
        path = Path(entry.output)
        if await asyncio.to_thread(sha256_of, path) != entry.output_sha256:
            return None  # moved or changed since: the provider may still have it
        facts = await decode_clip_async(path)
        return Clip(path=path, facts=facts, key=entry.key, cost_usd=entry.cost_usd, url=None)

    async def _finished(
        self, entry: Entry, end: float, deadline_s: float, on_state: OnState | None
    ) -> JobState:
        """Look until the job is over, whatever way.

        Trouble on the way is no reason to give up a job that is paid for; only the deadline is.
        """
        assert entry.poll_path is not None  # noqa: S101 - it was accepted
        misses, said = 0, "nothing yet"
        for polls in count():
            left = max(end - self.pace.clock(), _LAST_LOOK_S)
            try:
                answer = await self.transport.get(
                    entry.poll_path, deadline_s=min(self.settings.call_deadline_s, left)
                )
                misses = misses + 1 if answer.status == _GONE else 0
                state = self._read(entry, answer, misses)
            except (Unavailable, RateLimited, ApiUnreadable) as error:
                said = error.message
            else:
                said = state.status
                if on_state is not None:
                    on_state(state)
                if state.kind is not JobKind.PENDING:
                    return state
            left = end - self.pace.clock()
            if left <= 0:
                msg = (
                    f"the job {entry.key} is not done after {deadline_s:g} s; the provider says: "
                    f"{said}. It goes on, and is paid for; resume it to wait again"
                )
                raise StillPending(ErrorCode.STILL_PENDING, msg)
            await self.pace.sleep(min(left, self._pause_s(polls)))
        raise AssertionError

    def _pause_s(self, polls: int) -> float:
        return poll_pause_s(
            polls,
            self.pace.dice(),
            shortest_s=self.settings.poll_interval_s,
            waiting=self._waiting,
            per_minute=self.settings.requests_per_minute,
        )

    def _read(self, entry: Entry, answer: Answer, misses: int) -> JobState:
        if answer.is_success:
            return read_job(answer)
        if answer.status != _GONE:
            raise refusal(answer)
        if misses < _MISSES:
            return JobState(kind=JobKind.PENDING, status="not known yet")
        msg = (
            f"the provider does not know the job {entry.job_id} of {entry.key}; it forgets a job "
            "an hour after its end, and tells only of those of the key's own account. It is not "
            "sent again: it may have been billed. Look for the clip on the provider's site"
        )
        self.ledger.note(entry, "the provider does not know it")
        raise Expired(ErrorCode.EXPIRED, msg, status=answer.status)

    async def _downloaded(self, entry: Entry, state: JobState, directory: Path, end: float) -> Clip:
        if not state.result_urls:
            msg = f"the job {entry.key} is done, but the provider names no clip; resume it later"
            raise DownloadFailed(ErrorCode.DOWNLOAD_FAILED, msg)
        url = state.result_urls[0]
        stem = f"clip-{entry.key[:16]}" if entry.key == entry.fingerprint else entry.key
        clip = await download_clip(
            self.transport,
            url,
            directory=directory,
            stem=stem,
            deadline_s=max(end - self.pace.clock(), _LAST_LOOK_S),
        )
        path = clip.path.absolute()
        self.ledger.move(
            entry, State.DOWNLOADED, of=_IN_FLIGHT, output=str(path), output_sha256=clip.sha256
        )
        return Clip(path=path, facts=clip.facts, key=entry.key, cost_usd=entry.cost_usd, url=url)


class Job:
    """A job that the provider took. Made by `Client.submit` and `Client.resume`."""

    def __init__(self, jobs: Jobs, key: str) -> None:
        self._jobs = jobs
        self.key = key

    def __repr__(self) -> str:
        return f"Job({self.key!r})"

    @property
    def entry(self) -> Entry:
        """What the ledger knows of it now."""
        return self._jobs.ledger.get(self.key)

    async def wait(
        self,
        *,
        deadline_s: float = WAIT_S,
        directory: str | PathLike[str] = ".",
        on_state: OnState | None = None,
    ) -> Clip:
        """Wait until the job is over, and bring the clip into *directory*, verified.

        *deadline_s* is for all of it. *on_state* is called with each look at the job. A clip that
        was brought before, and still is there, is returned at once.

        Raises:
            StillPending: the deadline is over, the job is not.
            Moderated, InvalidMedia, JobFailed, other PipelineError: the job came to nothing.
            Expired: the provider does not know it any more.
            DownloadFailed: it is done, but the clip is not here; wait again to try again.
            Authentication: the key is not accepted (any more).
        """
        return await self._jobs.wait(
            self.key, deadline_s=deadline_s, directory=Path(directory), on_state=on_state
        )


def _unknown(entry: Entry, why: str, failure: Failure | None = None) -> UnknownOutcome:
    msg = (
        f"whether the provider made (and billed) a job for {entry.key} is not known: {why}. It is "
        "not sent again by itself. Look at the provider's list of jobs: if it is there, resume the "
        "key with that job id; if not, forget the key and submit again"
    )
    return UnknownOutcome(
        ErrorCode.UNKNOWN_OUTCOME,
        msg,
        raw_code=failure.raw_code if failure else None,
        raw_message=failure.raw_message if failure else None,
        status=failure.status if failure else None,
    )
