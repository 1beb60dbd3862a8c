"""The ledger: on the disk before each step, one sender for one key, and no secrets."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import locks
from pipeline.errors import ErrorCode, Failure, LedgerError, ProviderRefused
from pipeline.ledger import FILE_NAME, Entry, Ledger, State, kept
from tests.submit.support import BODY, KEY, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ALL = frozenset(State)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "state" / "home")
    yield opened
    opened.close()


def intend(ledger: Ledger, key: str = "k", fingerprint: str = "f", **more: object) -> Entry:
    return ledger.intend(key, fingerprint=fingerprint, request={**BODY, **more}, cost_usd=1.5)


# --- steps ---------------------------------------------------------------------------------------


def test_a_second_intent_is_the_first_one(ledger: Ledger) -> None:
    first = intend(ledger)

    assert intend(ledger) == first
    assert len(ledger.entries()) == 1


def test_what_was_not_sent_may_be_wanted_otherwise(ledger: Ledger) -> None:
    intend(ledger, fingerprint="old")
    entry = intend(ledger, fingerprint="new", duration=5)

    assert (entry.fingerprint, entry.request["duration"], entry.state) == ("new", 5, "intent")


@pytest.mark.parametrize("state", sorted(ALL - {State.INTENT, State.FORGOTTEN, State.FAILED}))
def test_a_key_that_was_sent_stands_for_its_content(ledger: Ledger, state: State) -> None:
    ledger.move(intend(ledger), state, of=ALL)

    assert intend(ledger).state is state
    with pytest.raises(LedgerError, match="another request") as caught:
        intend(ledger, fingerprint="new")
    assert caught.value.code is ErrorCode.LEDGER_KEY_REUSED


def test_a_step_is_taken_once(ledger: Ledger) -> None:
    entry = intend(ledger)

    assert ledger.move(entry, State.SENT, of=[State.INTENT]) is not None
    assert ledger.move(entry, State.SENT, of=[State.INTENT]) is None


def test_a_job_of_the_provider_that_failed_is_not_sent_again(ledger: Ledger) -> None:
    """Whether a failed job is billed is not known."""
    entry = intend(ledger)
    failed = ledger.move(entry, State.FAILED, of=ALL, job_id="j")
    assert failed is not None

    assert not failed.may_be_sent
    assert ledger.move(failed, State.SENT, of=[State.INTENT, State.FAILED]) is None


def test_one_that_the_provider_refused_may_be_sent_again(ledger: Ledger) -> None:
    failed = ledger.move(intend(ledger), State.FAILED, of=ALL)
    assert failed is not None

    assert failed.may_be_sent
    assert ledger.move(failed, State.SENT, of=[State.FAILED]) is not None


def test_a_step_of_another_content_is_none(ledger: Ledger) -> None:
    """Two callers with one key: what is sent has to be what the ledger says."""
    mine = intend(ledger, fingerprint="mine")
    intend(ledger, fingerprint="other")

    assert ledger.move(mine, State.SENT, of=[State.INTENT]) is None


def test_a_forgotten_key_is_free_and_its_cost_stays_in_the_totals(ledger: Ledger) -> None:
    ledger.move(intend(ledger), State.UNKNOWN, of=ALL)
    ledger.forget("k")
    entry = intend(ledger, fingerprint="new")

    assert entry.state is State.INTENT
    assert [each.key for each in ledger.entries()] == ["k"]
    assert ledger.totals()[State.FORGOTTEN].cost_usd == 1.5
    assert ledger.totals()[State.FORGOTTEN].jobs == 1


def test_what_is_being_sent_cannot_be_forgotten(ledger: Ledger) -> None:
    intend(ledger)
    with ledger.sending("k"), pytest.raises(LedgerError) as caught:
        ledger.forget("k")

    assert caught.value.code is ErrorCode.LEDGER_LIVE


def test_the_history_tells_every_step(ledger: Ledger) -> None:
    entry = intend(ledger)
    ledger.move(entry, State.SENT, of=ALL, note="try 1")
    ledger.move(entry, State.ACCEPTED, of=ALL, job_id="j")
    ledger.note(entry, "looked")

    told = [(event.state.value, event.note) for event in ledger.history(entry)]
    assert told == [
        ("intent", None), ("sent", "try 1"), ("accepted", None), ("intent", "looked"),
    ]  # fmt: skip


def test_an_error_comes_back_as_it_was(ledger: Ledger) -> None:
    error = ProviderRefused(ErrorCode.PROVIDER_REFUSED, "no", raw_code="c", status=422)
    moved = ledger.move(intend(ledger), State.FAILED, of=ALL, error=Failure.of(error))

    assert moved is not None
    assert moved.error == Failure.of(error)
    assert ledger.get("k").error == Failure.of(error)


def test_an_unknown_key_is_told(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no job with the key nix") as caught:
        ledger.get("nix")
    assert caught.value.code is ErrorCode.LEDGER_NO_JOB


# --- the file ------------------------------------------------------------------------------------


def test_nobody_else_reads_it(ledger: Ledger) -> None:
    intend(ledger)
    old = os.umask(0)
    try:
        home = Ledger(ledger.path.parent.parent / "open").path.parent
    finally:
        os.umask(old)

    for folder in (ledger.path.parent, home):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = [path for path in folder.iterdir() if path.is_file()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert (folder / FILE_NAME) in files


def test_each_step_is_on_the_disk_when_it_returns(ledger: Ledger) -> None:
    """SQLite syncs each transaction of a WAL under FULL (2), not under its usual NORMAL."""
    assert ledger._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert ledger._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    intend(ledger)

    other = sqlite3.connect(ledger.path)
    assert other.execute("SELECT state FROM jobs").fetchall() == [("intent",)]
    other.close()


def test_a_ledger_of_a_newer_version_is_left_alone(ledger: Ledger) -> None:
    ledger._db.execute("PRAGMA user_version = 99")
    ledger.close()

    with pytest.raises(LedgerError, match="newer clipready"):
        Ledger(ledger.path.parent)


def test_what_is_no_ledger_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 100)

    with pytest.raises(LedgerError) as caught:
        Ledger(tmp_path)
    assert caught.value.code is ErrorCode.LEDGER_UNUSABLE


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LedgerError, match="CLIPREADY_HOME"):
        Ledger(tmp_path / "file" / "home")


def test_a_full_disk_is_told_and_the_step_not_taken(ledger: Ledger) -> None:
    entry = intend(ledger)
    ledger._db.execute("PRAGMA max_page_count = 1")
    pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
    ledger._db.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(LedgerError, match="full"):
        ledger.move(entry, State.SENT, of=ALL, note="x" * 100_000)
    ledger._db.execute("PRAGMA max_page_count = 1000000")

    assert ledger.get("k").state is State.INTENT
    assert ledger.move(entry, State.SENT, of=ALL) is not None


# --- secrets -------------------------------------------------------------------------------------


def test_what_is_secret_is_not_on_the_disk(ledger: Ledger) -> None:
    url = f"https://bucket.test/a.mp4?X-Amz-Signature={SECRET}"
    image = "data:image/png;base64," + "QUJD" * 50
    entry = intend(ledger, video=url, image=image, prompt=f"as in {url}, key {KEY}")
    ledger.note(entry, f"fetched {url} with {KEY}")
    ledger.close()
    files = b"".join(path.read_bytes() for path in ledger.path.parent.rglob("*") if path.is_file())

    assert b"https://bucket.test/a.mp4?***" in files
    for secret in (SECRET.encode(), b"CANARY", b"QUJDQUJD"):
        assert secret not in files


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_is_kept_can_be_kept_again(value: object) -> None:
    assert kept(kept(value)) == kept(value)


# --- several at once -----------------------------------------------------------------------------

CLAIM = """
import sys
from pathlib import Path
from pipeline.ledger import Ledger, State
ledger = Ledger(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
won = 0
for n in range(40):
    entry = ledger.intend(f"k{n}", fingerprint="f", request={})
    won += ledger.move(entry, State.SENT, of=[State.INTENT]) is not None
print(won)
"""


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_of_several_processes_exactly_one_may_send_each_key(tmp_path: Path) -> None:
    """They also make the file at the same time."""
    processes = [started(CLAIM, str(tmp_path / "home")) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [int(process.communicate(timeout=60)[0]) for process in processes]

    assert sum(outputs) == 40


def test_of_several_threads_exactly_one_may_send(ledger: Ledger) -> None:
    entry = intend(ledger)
    won: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: won.append(ledger.move(entry, State.SENT, of=[State.INTENT]) is not None)
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == [False] * 7 + [True]


HOLD = """
import sys, time
from pathlib import Path
from pipeline.ledger import Ledger
with Ledger(Path(sys.argv[1])).sending("k") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_the_lock_of_a_killed_sender_is_free(ledger: Ledger) -> None:
    process = started(HOLD, str(ledger.path.parent))
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    with ledger.sending("k") as mine:
        assert not mine
    with ledger.sending("other") as mine:
        assert mine

    process.kill()
    process.communicate()

    with ledger.sending("k") as mine:
        assert mine


def test_a_lock_is_held_by_one_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(200):
            with locks.trying(path) as mine:
                if mine:
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(most) == {1}
    assert not path.exists()
