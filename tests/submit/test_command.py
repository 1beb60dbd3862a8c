"""``clipready submit`` and ``clipready jobs``: what they say, how they end, and what they hide."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from fixtures.clips import make_clip
from fixtures.provider import PROMPT_POLICY, Behaviour, Effect, Kind, Provider, Step
from fixtures.spec import ClipSpec, Container
from pipeline.terminal.commands import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.object_store import ObjectStore

ROOT = Path(__file__).parents[2]
PROMPT = ("submit", "--prompt", "make it snow", "--duration", "4", "--resolution", "480p")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is wrong with it but its container."""
    spec = ClipSpec(name="clip", frames=60, width=854, height=480, container=Container.MOV)
    return make_clip(spec, tmp_path_factory.mktemp("original") / "clip.mov")


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Preparing it takes a second, making it does not."""
    spec = ClipSpec(name="slow", frames=240, width=640, height=360, sound=None)
    return make_clip(spec, tmp_path_factory.mktemp("slow") / "slow.mp4")


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    behaviour = Behaviour(requests_per_minute=10_000, balance_usd=Decimal(10**6))
    with Provider.running(behaviour) as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.reset()
    return running


@dataclass(frozen=True)
class Ran:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def environment(
    provider: Provider, object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Everything is set as it should be, here and for programs of their own."""
    settings = {
        **object_store.environment,
        "EMPIRIOLABS_API_KEY": provider.key,
        "CLIPREADY_BASE_URL": provider.base_url,
        "CLIPREADY_STORE": object_store.url,
        "CLIPREADY_HOME": str(tmp_path / "home"),
        "CLIPREADY_POLL_INTERVAL": "0.05",
        "CLIPREADY_REQUESTS_PER_MINUTE": "10000",
        "COLUMNS": "100",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def run(environment: dict[str, str], object_store: ObjectStore) -> Callable[..., Ran]:
    """Call the command line in this process; whatever it says, it says no secret."""

    def call(*words: str | Path) -> Ran:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        for secret in (environment["EMPIRIOLABS_API_KEY"], object_store.secret_key, "X-Amz-"):
            assert secret not in result.stdout + result.stderr
        return Ran(result.exit_code, result.stdout, result.stderr)

    return call


def start(environment: dict[str, str], *words: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# --- a clip --------------------------------------------------------------------------------------


def test_a_clip_comes_back_and_every_step_is_told(
    run: Callable[..., Ran], provider: Provider, original: Path, tmp_path: Path
) -> None:
    done = run(*PROMPT, "--video", original)

    assert done.code == 0, done.err
    [clip] = tmp_path.glob("clip-*.mp4")
    assert clip.name in done.out
    assert "job_" in done.out
    steps = [line.partition(":")[0] for line in done.err.splitlines()]
    assert steps[:5] == ["probe video", "price", "prepare video", "upload video", "submit"]
    assert steps[-1] == "download"
    assert set(steps[5:-1]) == {"wait"}
    assert "prepare video: rewrap, " in done.err
    [job] = provider.billed
    assert job.body["video"].partition("?")[0].endswith(".mp4")


def test_the_same_in_json(
    run: Callable[..., Ran], provider: Provider, original: Path, tmp_path: Path
) -> None:
    done = run(*PROMPT, "--video", original, "--json")

    *steps, final = done.records
    assert (done.code, done.err) == (0, "")
    assert {each["type"] for each in steps} == {"step"}
    assert [each["step"] for each in steps if each["done"]] == [
        *("probe", "price", "prepare", "upload", "submit", "wait", "download")
    ]
    assert final["type"] == "submission"
    assert (final["status"], final["state"]) == ("done", "downloaded")
    assert final["job_id"] == provider.jobs[0].id
    assert Path(final["output"]).parent == tmp_path
    assert final["output_facts"]["frames"] == 24
    assert final["price"]["max_usd"] == pytest.approx(0.167 * 6)
    uploads = [each for each in steps if each["step"] == "upload"]
    assert uploads[-1]["sent_bytes"] == uploads[-1]["total_bytes"] > 0
    keys = [each["key"] for each in steps if each["step"] == "submit"]
    assert keys == [final["key"]] * 2


def test_asked_again_it_is_neither_prepared_nor_sent_again(
    run: Callable[..., Ran], provider: Provider, original: Path
) -> None:
    first = run(*PROMPT, "--video", original, "--json").records[-1]

    again = run(*PROMPT, "--video", original, "--json")

    assert again.code == 0
    assert {each["step"] for each in again.records[:-1]} == {"probe", "submit"}
    assert "sent before" in again.records[-2]["note"]
    assert again.records[-1]["output"] == first["output"]
    assert len(provider.jobs) == 1


def test_every_parameter_reaches_the_provider(run: Callable[..., Ran], provider: Provider) -> None:
    words = ("--ratio", "9:16", "--no-audio", "--negative-prompt", "rain", "--key", "mine")

    assert run(*PROMPT, *words, "--mode", "t2v").code == 0
    assert run("submit", "--prompt", "x", "--duration", "auto").code == 0
    first, second = (job.body for job in provider.jobs)
    assert first == {
        "model": "seedance-2-0-mini",
        "prompt": "make it snow",
        "mode": "t2v",
        "resolution": "480p",
        "aspect_ratio": "9:16",
        "custom_duration": True,
        "duration": 4,
        "generate_audio": False,
        "negative_prompt": "rain",
    }
    assert second["custom_duration"] is False
    assert "duration" not in second


# --- before anything is paid ---------------------------------------------------------------------


def test_a_dry_run_prints_the_body_and_sends_nothing(
    run: Callable[..., Ran], provider: Provider, object_store: ObjectStore, original: Path
) -> None:
    before = sorted(object_store.folder.iterdir())
    done = run(*PROMPT, "--video", original, "--dry-run")

    assert done.code == 0
    drafted = json.loads(done.out)
    assert drafted["video"] == f"{object_store.url}/{{sha256}}.mp4"
    assert "price: $0.67 to $1.01" in done.err
    assert "rewrap: mp4, h264 854x480" in done.err
    assert provider.requests == ()
    assert sorted(object_store.folder.iterdir()) == before

    run(*PROMPT, "--video", original)
    [job] = provider.jobs
    assert {**drafted, "video": None} == {**job.body, "video": None}


def test_a_dry_run_needs_no_settings_and_says_which_are_missing(
    run: Callable[..., Ran], original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMPIRIOLABS_API_KEY")
    monkeypatch.delenv("CLIPREADY_STORE")

    done = run(*PROMPT, "--video", original, "--dry-run", "--json")

    [draft] = [each for each in done.records if each["type"] == "draft"]
    assert done.code == 0
    assert [each["code"] for each in draft["missing"]] == ["api_key_missing", "store_missing"]
    assert draft["body"]["video"] == "{CLIPREADY_STORE}/{sha256}.mp4"
    assert draft["media"]["video"]["plan"]["route"] == "rewrap"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--mode", "foo", "--resolution", "9"), 3, {"request.mode", "request.resolution"}),
        (("--video", "nowhere.mp4"), 3, {"input.missing"}),
        (("--video", "http://10.0.0.1/a.mp4"), 3, {"source_private_address"}),
        (("--max-cost", "0.10"), 3, {"cost_too_high"}),
        (("--key", "no such/key"), 1, {"ledger_key"}),
        (("--max-cost", "much"), 2, {"--max-cost"}),
        (("--duration", "4.5"), 2, {"--duration"}),
        (("-d", "nowhere"), 2, {"-d", "nowhere"}),
        (("--dry-run", "--no-wait"), 2, {"--no-wait"}),
        (("--profile", "unknown"), 2, {"--profile"}),
    ],
)
def test_what_makes_no_sense_is_told_and_not_sent(
    words: tuple[str, ...], code: int, told: set[str], run: Callable[..., Ran], provider: Provider
) -> None:
    done = run("submit", "--prompt", "snow", *words)

    assert done.code == code
    assert done.out == ""
    assert {each for each in told if each not in done.err} == set()
    assert provider.requests == ()


def test_without_a_store_the_message_shows_settings_that_work(
    run: Callable[..., Ran], original: Path, monkeypatch: pytest.MonkeyPatch, provider: Provider
) -> None:
    monkeypatch.setenv("CLIPREADY_STORE", "")

    done = run(*PROMPT, "--video", original)

    assert (done.code, provider.requests) == (1, ())
    assert "CLIPREADY_STORE=s3://" in done.err
    assert "CLIPREADY_STORE=provider:" in done.err


def test_the_store_can_be_named(
    run: Callable[..., Ran], original: Path, object_store: ObjectStore, provider: Provider
) -> None:
    done = run(*PROMPT, "--video", original, "--store", f"{object_store.url}/elsewhere")

    assert done.code == 0
    assert "/elsewhere/" in provider.jobs[0].body["video"]


# --- refused, failed, unknown --------------------------------------------------------------------


def test_what_the_provider_refuses_for_its_content_is_a_rejection(
    run: Callable[..., Ran], provider: Provider
) -> None:
    provider.set_outcome(PROMPT_POLICY)

    done = run(*PROMPT, "--json")

    final = done.records[-1]
    assert done.code == 3
    assert (final["status"], final["state"]) == ("rejected", "failed")
    assert final["error"]["code"] == "moderated"
    assert final["error"]["raw_code"] == "InputTextSensitiveContentDetected"


def test_a_wrong_key_is_a_failure(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPIRIOLABS_API_KEY", "sk-empiriolabs-of-somebody")

    done = run(*PROMPT)

    assert done.code == 1
    assert "authentication" in done.err
    assert "sk-empiriolabs-of-somebody" not in done.err
    assert "nothing was billed" in done.err


def test_an_unknown_outcome_is_four_until_somebody_settles_it(
    run: Callable[..., Ran], provider: Provider
) -> None:
    provider.set_fault(Step.SUBMIT, Kind.RESET_AFTER_BODY, effect=Effect.DONE)

    done = run(*PROMPT, "--key", "mine")

    assert done.code == 4
    assert "clipready jobs resume mine --job-id ID" in done.err
    assert run(*PROMPT, "--key", "mine").code == 4
    assert run("jobs", "resume", "mine").code == 4
    assert len(provider.asked(Step.SUBMIT)) == 1
    settled = run("jobs", "resume", "mine", "--job-id", provider.jobs[0].id)
    assert settled.code == 0
    assert "mine.mp4" in settled.out


def test_a_deadline_that_passes_leaves_the_job_running(
    run: Callable[..., Ran], provider: Provider
) -> None:
    provider.behaviour.working_s = 0.8
    try:
        late = run(*PROMPT, "--key", "slow", "--deadline", "0.1")
        done = run("jobs", "resume", "slow")
    finally:
        provider.behaviour.working_s = Behaviour.working_s

    assert late.code == 1
    assert "still_pending" in late.err
    assert "clipready jobs resume slow" in late.err
    assert done.code == 0
    assert len(provider.jobs) == 1


# --- the ledger ----------------------------------------------------------------------------------


def test_jobs_are_listed_shown_and_forgotten(run: Callable[..., Ran], provider: Provider) -> None:
    assert run(*PROMPT, "--no-wait", "--key", "first").code == 0
    assert run(*PROMPT).code == 0

    listed = run("jobs")
    assert [line.split()[:2] for line in listed.out.splitlines()[1:] if "make it" in line] == [
        ["first", "accepted"],
        [run("jobs", "--json").records[1]["key"][:16], "downloaded"],
    ]
    assert "accepted: 1 job, at most $0.28" in listed.out

    shown = run("jobs", "show", "fir")
    assert shown.code == 0
    assert [each for each in ("intent", "sent", "accepted") if each not in shown.out] == []
    assert "next" in shown.out
    assert "clipready jobs resume first" in shown.out

    assert run("jobs", "forget", "first").code == 0
    last = run("jobs", "--json").records
    assert [each["type"] for each in last] == ["job", "jobs"]
    assert last[-1]["totals"]["forgotten"] == {"jobs": 1, "max_usd": pytest.approx(0.28)}
    assert run(*PROMPT, "--no-wait", "--key", "first").code == 0
    assert len(provider.jobs) == 3


def test_a_beginning_that_two_keys_have_is_refused(run: Callable[..., Ran]) -> None:
    for key in ("order-1", "order-2"):
        run(*PROMPT, "--no-wait", "--key", key)

    both, none = run("jobs", "show", "order"), run("jobs", "show", "other", "--json")

    assert both.code == 1
    assert "order-1, order-2" in both.err
    assert none.records[0]["error"]["code"] == "ledger_no_job"
    assert run("jobs", "show", "order-1").code == 0


def test_an_empty_ledger_is_no_error(run: Callable[..., Ran]) -> None:
    assert run("jobs").out == "no jobs\n"


# --- the profile ---------------------------------------------------------------------------------


def test_a_refresh_reports_every_difference_and_changes_nothing(
    run: Callable[..., Ran], provider: Provider
) -> None:
    assert run("profiles", "refresh").code == 0
    parameters = provider.model["supported_parameters"]
    [duration] = [each for each in parameters if each["name"] == "duration"]
    known = dict(duration)
    shown = run("profiles", "show", "seedance-2-0-mini").out
    duration.update({key: 20 for key in ("max", "maximum") if key in duration} or {"max": 20})
    duration.pop("range", None)
    try:
        done = run("profiles", "refresh")
        record = run("profiles", "refresh", "--json").records[0]
    finally:
        duration.clear()
        duration.update(known)

    assert done.code == 3
    assert "duration.max: the profile says 15, the provider 20" in done.out
    assert record["differences"] == [{"what": "duration.max", "profile": "15", "provider": "20"}]
    assert run("profiles", "show", "seedance-2-0-mini").out == shown


# --- programs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_waiting_says_how_to_go_on(
    number: int, environment: dict[str, str], provider: Provider, tmp_path: Path
) -> None:
    provider.behaviour.working_s = 30
    try:
        process = start(environment, *PROMPT, "--key", "mine", "--json")
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["step"] == "wait":
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        provider.behaviour.working_s = Behaviour.working_s

    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert '"submission"' not in out
    assert [line.split(";")[0] for line in err.splitlines()] == [
        "clipready: the job mine is accepted",
        "  clipready jobs resume mine",
        "clipready: interrupted",
    ]
    provider.advance(60)
    resumed = start(environment, "jobs", "resume", "mine")
    assert resumed.communicate(timeout=20)[1].endswith("s\n")
    assert resumed.returncode == 0
    assert (tmp_path / "mine.mp4").is_file()
    assert len(provider.billed) == 1


def test_a_signal_within_the_request_is_an_unknown_outcome(
    environment: dict[str, str], provider: Provider
) -> None:
    provider.set_fault(Step.SUBMIT, Kind.SILENT, effect=Effect.DONE)
    process = start(environment, *PROMPT, "--key", "mine")
    ends = time.monotonic() + 20
    while not provider.jobs and time.monotonic() < ends:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "the job mine is unknown; it may have been billed" in err
    again = start(environment, *PROMPT, "--key", "mine")
    again.communicate(timeout=20)
    assert (again.returncode, len(provider.jobs)) == (4, 1)


@pytest.mark.parametrize(("step", "jobs"), [("probe", 0), ("wait", 1)])
def test_a_reader_that_goes_away_stops_the_call_and_not_the_job(
    step: str, jobs: int, environment: dict[str, str], provider: Provider, slow: Path
) -> None:
    provider.behaviour.working_s = 30
    try:
        with start(environment, *PROMPT, "--video", slow, "--key", "mine", "--json") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                if json.loads(line)["step"] == step:
                    break
            process.stdout.close()
            said = process.stderr.read()
    finally:
        provider.behaviour.working_s = Behaviour.working_s

    assert process.returncode == 1
    assert "Traceback" not in said
    assert ("clipready jobs resume mine" in said) == bool(jobs)
    assert len(provider.jobs) == jobs


def test_a_kill_while_preparing_leaves_nothing_to_pay(
    environment: dict[str, str], provider: Provider, original: Path, tmp_path: Path
) -> None:
    words = (*PROMPT, "--video", original, "--key", "mine")
    process = start(environment, *words, "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert provider.jobs == ()

    again = start(environment, *words)
    _, err = again.communicate(timeout=30)

    assert again.returncode == 0, err
    assert len(provider.billed) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["home", "mine.mp4"]


def test_help_and_local_commands_load_no_network(environment: dict[str, str]) -> None:
    heavy = {"httpx", "obstore", "pydantic_settings", "anyio", "sqlite3", "pipeline.client"}
    for words in (["submit", "--help"], ["probe", "nowhere.mp4"], ["jobs", "--help"]):
        program = (
            f"import sys; sys.argv[1:] = {words}\nfrom pipeline.cli import main\n"
            f"try: main()\nexcept SystemExit: pass\n"
            f"print(*({heavy} & set(sys.modules)), file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr.splitlines()[-1] == "", words


# --- the documents -------------------------------------------------------------------------------


def keys_of(value: object) -> Iterator[str]:
    """Every key of the contract in a JSON value; what names parameters or states is none."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in {"body", "request", "totals", "media", "output_facts"}:
                yield from keys_of(inner)
    if isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_every_object_and_key_is_documented(run: Callable[..., Ran], original: Path) -> None:
    records = [
        each
        for words in (
            (*PROMPT, "--video", original, "--dry-run"),
            (*PROMPT, "--video", original, "--key", "mine"),
            ("submit", "--prompt", "x", "--mode", "foo"),
            ("jobs",),
            ("jobs", "show", "mine"),
            ("jobs", "show", "other"),
            ("profiles", "refresh"),
        )
        for each in run(*words, "--json").records
    ]
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    section = text.partition("\n## Submissions\n")[2].partition("\n## `reasons`\n")[0]
    elsewhere = {"type", "schema", "code", "message", "detail"}
    reason = {"rule", "measured", "limit", "value", "limit_value", "unit", "fix"}

    met = {key for each in records for key in keys_of(each)}
    assert {key for key in met - elsewhere - reason if f"`{key}`" not in section} == set()
    kinds = {each["type"] for each in records}
    assert kinds == {"step", "draft", "submission", "job", "jobs", "comparison"}
    assert {kind for kind in kinds if f"`{kind}`" not in section} == set()
