"""Never two billed jobs for one key: whatever is done, in whatever order, and whatever dies.

A model of the provider counts the jobs it makes. Clients submit, resume, wait, forget and die at
any step of the ledger or in the middle of a request; each dead one leaves what it had written.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from pipeline.errors import LedgerError, PipelineError, StillPending, UnknownOutcome
from pipeline.ledger import Ledger, State
from tests.submit.faults import CASES, fault
from tests.submit.support import BODY, Server, Time, engine

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import httpx

    from pipeline.jobs import Job
    from pipeline.ledger import Entry

KEYS = ("a", "b")
keys = st.sampled_from("aaab")


class Killed(BaseException):
    """The process is gone; nothing of it runs any more."""


class MortalLedger(Ledger):
    """A ledger whose process dies at its *steps*-th step, before or after that is written."""

    def __init__(self, home: Path, steps: int, *, after: bool) -> None:
        super().__init__(home)
        self.left = steps
        self.after = after
        self.dead = False

    def move(self, entry: Entry, to: State, **more: Any) -> Entry | None:  # noqa: ANN401 - as it is
        if self.dead:
            raise Killed
        self.left -= 1
        if self.left == 0 and not self.after:
            self.die()
        moved = super().move(entry, to, **more)
        if self.left == 0:
            self.die()
        return moved

    def die(self) -> None:
        self.dead = True
        raise Killed

    def sending(self, key: str) -> AbstractContextManager[bool]:
        if self.dead:
            raise Killed
        return super().sending(key)


class Paying(RuleBasedStateMachine):
    """Callers of one account."""

    def __init__(self) -> None:
        super().__init__()
        # In memory where that can be had: what a disk is like is tested elsewhere.
        memory = Path("/dev/shm")  # noqa: S108 - the name of its folder is drawn
        place = memory if memory.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="clipready-machine-", dir=place))
        self.home = self.folder / "home"
        self.server = Server(polls=({"status": "processing"},))
        self.forgotten: Counter[str] = Counter()
        self.looking = Ledger(self.home)

    def teardown(self) -> None:
        self.looking.close()
        shutil.rmtree(self.folder)

    def made(self, key: str) -> int:
        return sum(body["prompt"] == key for body in self.server.jobs.values())

    def entry(self, key: str) -> Entry | None:
        return self.looking.find(key)

    def act(self, key: str, ledger: Ledger, what: str = "submit") -> Job | None:
        body = {**BODY, "prompt": key}
        jobs = engine(self.home, self.server, time=Time(), ledger=ledger)

        async def run() -> Job:
            if what == "resume":
                return await jobs.existing(key)
            entry = ledger.intend(key, fingerprint=key, request=body, cost_usd=1)
            job = await jobs.post(entry, body)
            if what == "wait":
                with suppress(StillPending):
                    await job.wait(deadline_s=20, directory=self.folder)
            return job

        try:
            return asyncio.run(run())
        finally:
            ledger.close()

    @rule(
        key=keys, case=st.none() | st.sampled_from(CASES), what=st.sampled_from(["submit", "wait"])
    )
    def submit(self, key: str, case: tuple[str, bool] | None, what: str) -> None:
        """By a process that lives."""
        before = self.entry(key)
        self.server.faults = [] if case is None else [fault(case[0], made=case[1])]
        posts = self.server.posts
        try:
            job = self.act(key, Ledger(self.home), what)
        except UnknownOutcome:
            entry = self.entry(key)
            assert entry is not None
            assert entry.state is State.UNKNOWN
        except (PipelineError, RuntimeError):
            pass
        else:
            assert job is not None
            assert self.made(key) >= 1
        self.server.faults = []
        if before is not None and not before.may_be_sent:
            assert self.server.posts == posts

    @rule(
        key=keys,
        step=st.integers(1, 3),
        after=st.booleans(),
        case=st.none() | st.sampled_from(CASES),
    )
    def submit_and_die_at_a_step(
        self, key: str, step: int, case: tuple[str, bool] | None, *, after: bool
    ) -> None:
        self.server.faults = [] if case is None else [fault(case[0], made=case[1])]
        with suppress(Killed, PipelineError, RuntimeError):
            self.act(key, MortalLedger(self.home, step, after=after))
        self.server.faults = []

    @rule(key=keys, made=st.booleans())
    def submit_and_die_within_the_request(self, key: str, *, made: bool) -> None:
        ledger = MortalLedger(self.home, 0, after=False)

        def die(server: Server, request: httpx.Request) -> httpx.Response:
            if made:
                server.accept(request)
            ledger.dead = True
            raise Killed

        self.server.faults = [die]
        with suppress(Killed, PipelineError):
            self.act(key, ledger)
        self.server.faults = []

    @rule(key=keys)
    def resume(self, key: str) -> None:
        posts = self.server.posts
        with suppress(PipelineError):
            job = self.act(key, Ledger(self.home), "resume")
            assert job is not None
            assert self.made(key) >= 1
        assert self.server.posts == posts

    @rule(key=keys)
    def forget(self, key: str) -> None:
        """By a person, who takes over what becomes of it."""
        with suppress(LedgerError):
            self.looking.forget(key)
            self.forgotten[key] += 1

    @rule(forgetful=st.booleans())
    def let_the_provider_forget(self, *, forgetful: bool) -> None:
        """What is over an hour old; it remembers when the key of the right account comes back."""
        self.server.forgetful = forgetful

    @invariant()
    def one_key_has_one_job_unless_it_was_forgotten(self) -> None:
        for key in KEYS:
            assert self.made(key) <= 1 + self.forgotten[key]

    @invariant()
    def what_is_called_unsent_was_not_sent(self) -> None:
        for key in KEYS:
            entry = self.entry(key)
            if entry is None or entry.may_be_sent:
                assert self.made(key) <= self.forgotten[key]


def test_never_two_billed_jobs_for_one_key() -> None:
    run_state_machine_as_test(
        Paying, settings=hypothesis_settings(max_examples=100, stateful_step_count=20)
    )
