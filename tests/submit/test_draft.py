"""What a request would become, before anything is prepared or sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from fixtures.clips import make_clip
from fixtures.spec import ClipSpec, Container
from pipeline import Client, CostTooHigh, GenerationRequest, RequestRejected, SyncClient
from tests.images import stills
from tests.submit.support import Server, Time, settings

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline import Draft


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("media")
    spec = ClipSpec(name="clip", frames=60, width=854, height=480, container=Container.MOV)
    return {
        "video": make_clip(spec, folder / "clip.mov"),
        "image": stills.save(stills.picture(400, 300), folder / "a.webp", "webp"),
    }


def drafted(home: Path, request: GenerationRequest, store: str | None = None, **how: Any) -> Draft:  # noqa: ANN401 - of draft
    given = {"settings": settings(home, store=store, **how.pop("settings", {}))}
    with SyncClient(**given, connection=httpx.MockTransport(Server())) as client:  # type: ignore[arg-type]
        return client.draft(request, **how)


@pytest.mark.parametrize(
    ("store", "video", "image"),
    [
        ("s3://b/p", "s3://b/p/{sha256}.mp4", "s3://b/p/{sha256}.jpg"),
        ("s3://b/p/", "s3://b/p/{sha256}.mp4", "s3://b/p/{sha256}.jpg"),
        ("provider:", "provider:{sha256}.mp4", "provider:{sha256}.jpg"),
        ("data:", "data:video/mp4;base64,{content}", "data:image/jpeg;base64,{content}"),
        (None, "{CLIPREADY_STORE}/{sha256}.mp4", "{CLIPREADY_STORE}/{sha256}.jpg"),
    ],
)
def test_media_are_named_by_the_place_where_they_would_be(
    store: str | None, video: str, image: str, media: dict[str, Path], tmp_path: Path
) -> None:
    request = GenerationRequest(prompt="snow", mode="edit", **media)  # type: ignore[arg-type]

    draft = drafted(tmp_path, request, store)

    assert (draft.body["video"], draft.body["image"]) == (video, image)
    assert draft.plans["video"].route.label == "rewrap"


def test_its_key_and_price_are_those_of_the_job(tmp_path: Path) -> None:
    """Of a prompt alone, since nothing is stored in this test."""
    request = GenerationRequest(prompt="snow", duration=4)
    server = Server(polls=({"status": "queued"},))
    draft = drafted(tmp_path, request)

    async def submitted() -> tuple[str, float | None]:
        async with Client(
            settings(tmp_path), connection=httpx.MockTransport(server), pace=Time().pace()
        ) as client:
            job = await client.submit(request)
            return job.key, job.entry.cost_usd

    assert draft.sent_before is None
    assert asyncio.run(submitted()) == (draft.key, float(draft.quote.max_usd))
    again = drafted(tmp_path, request).sent_before
    assert again is not None
    assert again.state == "accepted"
    assert list(server.jobs.values()) == [dict(draft.body)]


def test_what_would_be_refused_is_refused(tmp_path: Path, media: dict[str, Path]) -> None:
    with pytest.raises(RequestRejected, match=r"request\.media"):
        drafted(tmp_path, GenerationRequest(prompt="snow", mode="t2v", image=media["image"]))
    with pytest.raises(CostTooHigh):
        drafted(tmp_path, GenerationRequest(prompt="snow"), max_cost_usd="0.10")


@pytest.mark.parametrize(
    ("store", "key", "codes"),
    [
        (None, None, ["api_key_missing", "store_missing"]),
        ("ftp://x", "sk-empiriolabs-x", ["store_url"]),
        ("provider:", "sk-empiriolabs-x", []),
    ],
)
def test_settings_that_are_missing_are_told_and_no_reason_to_stop(
    store: str | None, key: str | None, codes: list[str], media: dict[str, Path], tmp_path: Path
) -> None:
    request = GenerationRequest(prompt="snow", video=media["video"])

    draft = drafted(tmp_path, request, store, settings={"api_key": key})

    assert [each.code for each in draft.missing] == codes


def test_a_prompt_alone_needs_no_store(tmp_path: Path) -> None:
    assert drafted(tmp_path, GenerationRequest(prompt="snow")).missing == ()
