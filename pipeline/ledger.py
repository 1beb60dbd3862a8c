"""What was asked of the provider and what became of it, on the disk before each step.

    intent ──> sent ──> accepted ──> done ──> downloaded
                │           └──> failed       the provider made a job and says it failed
                ├──> failed                   no job was made: may be sent again
                └──> unknown                  nobody knows: never sent again by itself

A row in ``sent`` whose sender is gone is ``unknown``: the lock of `Ledger.sending` tells, because
it goes with whoever holds it. Steps are compare-and-set in one transaction, so that of several
processes with one key exactly one may send. No key of the account and no query of a signed URL
gets in here.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from pipeline import locks
from pipeline.errors import ErrorCode, Failure, LedgerError
from pipeline.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

FILE_NAME = "ledger.sqlite3"
_VERSION = 1
_BUSY_S = 20.0
"""How long another process may hold the ledger; it does so for milliseconds."""
_DATA_URL = "data:"


class State(StrEnum):
    """How far a job has come."""

    INTENT = "intent"
    SENT = "sent"
    ACCEPTED = "accepted"
    DONE = "done"
    DOWNLOADED = "downloaded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    FORGOTTEN = "forgotten"


def key_reused(key: str) -> LedgerError:
    """One key for two requests."""
    msg = (
        f"the key {key} stands for another request (of other media or parameters); choose another "
        "key, or forget that one"
    )
    return LedgerError(ErrorCode.LEDGER_KEY_REUSED, msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One job."""

    id: int
    key: str
    state: State
    fingerprint: str
    """Of the content: the same for the same request."""
    request: Mapping[str, object]
    """As posted, without what is secret."""
    cost_usd: float | None
    """The most it may cost."""
    job_id: str | None
    poll_path: str | None
    output: str | None
    output_sha256: str | None
    error: Failure | None
    """Why it failed."""
    created: float
    """Unix time in seconds, as `updated`."""
    updated: float

    @property
    def may_be_sent(self) -> bool:
        """Whether it is certain that no job was made for it."""
        return self.state is State.INTENT or (self.state is State.FAILED and self.job_id is None)

    def check_is(self, fingerprint: str) -> None:
        """See that it is the job of that content.

        Raises:
            LedgerError: it is another's.
        """
        if fingerprint != self.fingerprint:
            raise key_reused(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step of a job."""

    at: float
    """Unix time in seconds."""
    state: State
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Jobs in one state."""

    jobs: int
    cost_usd: float
    """The most that they may have cost, together."""


_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    request TEXT NOT NULL,
    cost_usd REAL,
    job_id TEXT,
    poll_path TEXT,
    output TEXT,
    output_sha256 TEXT,
    error TEXT,
    created REAL NOT NULL,
    updated REAL NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS one_job_a_key ON jobs (key) WHERE state != 'forgotten';
CREATE TABLE IF NOT EXISTS history (
    job INTEGER NOT NULL REFERENCES jobs (id),
    at REAL NOT NULL,
    state TEXT NOT NULL,
    note TEXT
);
CREATE INDEX IF NOT EXISTS history_of_job ON history (job);
"""
_CHANGEABLE = frozenset({"job_id", "poll_path", "output", "output_sha256", "error", "request"})


class Ledger:
    """The jobs of one user, in ``home/ledger.sqlite3``. Safe with threads and processes.

    Every method is done, and durable, when it returns; each takes milliseconds.

    Raises:
        LedgerError: from every method, if the file cannot be used.
    """

    def __init__(self, home: Path, *, wall: Callable[[], float] = time.time) -> None:
        self.path = home / FILE_NAME
        self._locks = home / "sending"
        self._wall = wall
        self._thread = threading.Lock()
        with self._trouble():
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._locks.mkdir(mode=0o700, exist_ok=True)
            # Its companions -wal and -shm get the mode of the file itself.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._db.row_factory = sqlite3.Row
            with locks.waiting(home / "ledger.lock"):
                self._set_up()

    def _set_up(self) -> None:
        [version] = self._db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            msg = f"{self.path} was made by a newer clipready (ledger version {version}); update"
            raise LedgerError(ErrorCode.LEDGER_UNUSABLE, msg)
        self._db.execute("PRAGMA journal_mode = WAL")
        # FULL: on the disk when a transaction ends (sqlite.org/pragma.html#pragma_synchronous).
        self._db.execute("PRAGMA synchronous = FULL")
        if version < _VERSION:
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # --- steps -----------------------------------------------------------------------------------

    def intend(
        self,
        key: str,
        *,
        fingerprint: str,
        request: Mapping[str, object],
        cost_usd: float | None = None,
    ) -> Entry:
        """Write down that a job is wanted; the entry that is there already, if it may not change.

        One that certainly was not sent may: what is wanted under *key* now is written into it.

        Raises:
            LedgerError: the key stands for another content.
        """
        wanted = (fingerprint, _column(kept(dict(request))), cost_usd)
        now = self._wall()
        with self._transaction() as db:
            row = self._row(key)
            if row is None:
                cursor = db.execute(
                    "INSERT INTO jobs (fingerprint, request, cost_usd, key, state, created,"
                    " updated) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*wanted, key, State.INTENT, now, now),
                )
                self._note(cursor.lastrowid or 0, State.INTENT, now, None)
            elif _entry(row).may_be_sent:
                db.execute(
                    "UPDATE jobs SET fingerprint = ?, request = ?, cost_usd = ? WHERE id = ?",
                    (*wanted, row["id"]),
                )
            row = self._row(key)
            assert row is not None  # noqa: S101 - just seen to
            entry = _entry(row)
        entry.check_is(fingerprint)
        return entry

    def move(
        self,
        entry: Entry,
        to: State,
        *,
        of: Collection[State],
        note: str | None = None,
        **changes: object,
    ) -> Entry | None:
        """Take a step, if the job is in one of the states *of* (and still the same job).

        *changes* are fields of `Entry`. ``None``: it is not; somebody else has taken a step.
        """
        assert changes.keys() <= _CHANGEABLE  # noqa: S101 - they become column names
        values = {name: _column(value) for name, value in changes.items()}
        now = self._wall()
        columns = ", ".join(f"{name} = ?" for name in ("state", "updated", *values))
        marks = ", ".join("?" * len(of))
        unsent = " AND (state != 'failed' OR job_id IS NULL)" if to is State.SENT else ""
        with self._transaction() as db:
            done = db.execute(
                f"UPDATE jobs SET {columns}"  # noqa: S608 - names are ours
                f" WHERE id = ? AND fingerprint = ? AND state IN ({marks}){unsent}",
                (to, now, *values.values(), entry.id, entry.fingerprint, *of),
            )
            if not done.rowcount:
                return None
            self._note(entry.id, to, now, note)
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (entry.id,)).fetchone()
        return _entry(row)

    def note(self, entry: Entry, note: str) -> None:
        """Write down something that is no step."""
        with self._transaction():
            self._note(entry.id, entry.state, self._wall(), note)

    def forget(self, key: str) -> Entry:
        """Free *key*: the next request with it is a new job. What it cost stays in the totals.

        Raises:
            LedgerError: there is none, or it is being sent right now.
        """
        entry = self.get(key)
        with self.sending(key) as mine:
            if not mine:
                msg = f"the job {key} is being sent right now, by another process; wait for it"
                raise LedgerError(ErrorCode.LEDGER_LIVE, msg)
            of = frozenset(State) - {State.FORGOTTEN}
            gone = self.move(entry, State.FORGOTTEN, of=of, note=f"was {entry.state}", request={})
        return gone or entry

    def sending(self, key: str) -> AbstractContextManager[bool]:
        """Be the one who sends *key*, if nobody is; whether we are. Ends with the process."""
        return locks.trying(self._locks / sha256(key.encode()).hexdigest()[:32])

    # --- looking ---------------------------------------------------------------------------------

    def find(self, key: str) -> Entry | None:
        """The job of that key."""
        with self._trouble(), self._thread:
            row = self._row(key)
        return None if row is None else _entry(row)

    def get(self, key: str) -> Entry:
        """The job of that key.

        Raises:
            LedgerError: there is none.
        """
        entry = self.find(key)
        if entry is None:
            msg = f"no job with the key {key} in {self.path}; look at the list of jobs"
            raise LedgerError(ErrorCode.LEDGER_NO_JOB, msg)
        return entry

    def entries(self) -> list[Entry]:
        """All jobs that are not forgotten, the oldest first."""
        rows = self._all("SELECT * FROM jobs WHERE state != 'forgotten' ORDER BY id")
        return [_entry(row) for row in rows]

    def history(self, entry: Entry) -> list[Event]:
        """The steps of a job."""
        rows = self._all("SELECT * FROM history WHERE job = ? ORDER BY rowid", entry.id)
        return [Event(at=row["at"], state=State(row["state"]), note=row["note"]) for row in rows]

    def totals(self) -> dict[State, Total]:
        """How many jobs there are and what they may have cost, by state; forgotten ones too."""
        rows = self._all(
            "SELECT state, count(*) AS jobs, coalesce(sum(cost_usd), 0) AS usd"
            " FROM jobs GROUP BY state"
        )
        return {
            State(row["state"]): Total(jobs=row["jobs"], cost_usd=float(row["usd"])) for row in rows
        }

    # --- below -----------------------------------------------------------------------------------

    def _row(self, key: str) -> sqlite3.Row | None:
        found = self._db.execute(
            "SELECT * FROM jobs WHERE key = ? AND state != 'forgotten'", (key,)
        )
        row: sqlite3.Row | None = found.fetchone()
        return row

    def _all(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._trouble(), self._thread:
            return self._db.execute(query, values).fetchall()

    def _note(self, job: int, state: State, at: float, note: str | None) -> None:
        told = None if note is None else redacted(note)
        self._db.execute("INSERT INTO history VALUES (?, ?, ?, ?)", (job, at, state, told))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._trouble(), self._thread:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            msg = (
                f"the ledger {self.path} cannot be used: {error}; without it nothing is sent. Make "
                "room, or mend its permissions, or set CLIPREADY_HOME to another folder"
            )
            raise LedgerError(ErrorCode.LEDGER_UNUSABLE, msg) from error


def kept(value: object) -> object:
    """*value* as the ledger keeps it: no queries of URLs, of ``data:`` URLs only the digest."""
    if isinstance(value, str):
        if value.startswith(_DATA_URL):
            kind = value[len(_DATA_URL) :].partition(",")[0][:80]
            return f"{_DATA_URL}{kind},sha256:{sha256(value.encode()).hexdigest()}"
        return redacted(value)
    if isinstance(value, dict):
        return {str(name): kept(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [kept(inner) for inner in value]
    return value


def _column(value: object) -> object:
    if isinstance(value, Failure):
        return json.dumps(asdict(value))
    return json.dumps(value) if isinstance(value, dict) else value


def _entry(row: sqlite3.Row) -> Entry:
    fields = dict(row)
    fields["state"] = State(row["state"])
    fields["request"] = json.loads(row["request"])
    fields["error"] = Failure(**json.loads(row["error"])) if row["error"] else None
    return Entry(**fields)
