"""The service and the worker of docs/examples, as processes, against provider and store."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from fixtures import reading
from fixtures.clips import make_clip
from fixtures.provider import PROMPT_POLICY, Behaviour, Provider, Step
from fixtures.spec import ClipSpec, Container

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.object_store import ObjectStore

ROOT = Path(__file__).parents[2]
PATIENCE_S = 40


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider.running(Behaviour(requests_per_minute=10_000)) as running:
        yield running


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    spec = ClipSpec(name="clip", frames=60, width=854, height=480, container=Container.MOV)
    return make_clip(spec, tmp_path_factory.mktemp("upload") / "clip.mov").read_bytes()


@pytest.fixture(scope="module")
def environment(
    provider: Provider, object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("service")
    return {
        **os.environ,
        **object_store.environment,
        "PYTHONPATH": str(ROOT),
        "ORDERS": str(folder / "orders"),
        "EMPIRIOLABS_API_KEY": provider.key,
        "CLIPREADY_BASE_URL": provider.base_url,
        "CLIPREADY_STORE": object_store.url,
        "CLIPREADY_HOME": str(folder / "home"),
        "CLIPREADY_POLL_INTERVAL": "0.05",
        "CLIPREADY_REQUESTS_PER_MINUTE": "10000",
    }


@contextmanager
def process(environment: dict[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs until the block ends, and is killed then as a machine that stops."""
    started = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=environment)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


@pytest.fixture(scope="module")
def service(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    socket = tmp_path_factory.mktemp("socket") / "service"
    words = ("uvicorn", "docs.examples.service:app", "--uds", str(socket), "--log-level", "error")
    with (
        process(environment, *words),
        httpx.Client(
            base_url="http://service", transport=httpx.HTTPTransport(uds=str(socket)), timeout=10
        ) as client,
    ):
        until(socket.exists)
        yield client


def until(true: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def ended(service: httpx.Client, order: str) -> dict[str, Any]:
    until(lambda: service.get(f"/clips/{order}").json()["state"] != "waiting")
    outcome: dict[str, Any] = service.get(f"/clips/{order}").json()
    return outcome


def placed(service: httpx.Client, content: bytes) -> str:
    answer = service.post("/clips", params={"prompt": "make it snow"}, content=content)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_orders_become_clips_or_reasons(
    service: httpx.Client,
    environment: dict[str, str],
    provider: Provider,
    upload: bytes,
    tmp_path: Path,
) -> None:
    good, bad = placed(service, upload), placed(service, b"no clip at all\n" * 50)
    assert service.get(f"/clips/{good}").json() == {"state": "waiting", "told": []}
    assert service.get(f"/clips/{good}/clip").status_code == 409

    with process(environment, "docs.examples.worker"):
        assert ended(service, good) == {"state": "done", "told": []}
        refused = ended(service, bad)
        provider.set_outcome(PROMPT_POLICY)
        moderated = ended(service, placed(service, upload))

    (tmp_path / "clip.mp4").write_bytes(service.get(f"/clips/{good}/clip").content)
    if reading.have_ffmpeg():
        assert reading.decode_complaints(tmp_path / "clip.mp4") == []
    assert refused["state"] == "rejected"
    assert "input.unsupported" in refused["told"][0]
    assert moderated["state"] == "rejected"
    assert len(provider.billed) == 1


def test_a_worker_that_is_killed_goes_on_with_the_same_job(
    service: httpx.Client, environment: dict[str, str], provider: Provider, upload: bytes
) -> None:
    provider.reset()
    provider.behaviour.working_s = 60
    order = placed(service, upload)
    with process(environment, "docs.examples.worker"):
        until(lambda: provider.asked(Step.POLL))  # its number is written down by then
    provider.advance(120)
    provider.behaviour.working_s = Behaviour.working_s
    with process(environment, "docs.examples.worker"):
        assert ended(service, order)["state"] == "done"

    assert len(provider.jobs) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/clips/00000000-0000-4000-8000-000000000000", 404),
        ("GET", "/clips/00000000-0000-4000-8000-000000000000/clip", 404),
        ("GET", "/clips/..%2F..%2Fetc", 404),
        ("GET", "/clips/nobody", 422),
        ("POST", "/clips?prompt=", 422),
    ],
)
def test_what_is_no_order_is_told(
    method: str, path: str, status: int, service: httpx.Client
) -> None:
    assert service.request(method, path).status_code == status
