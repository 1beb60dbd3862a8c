"""All media of a request: planned together, prepared side by side, stored as they get ready."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.clips import make_clip
from fixtures.reading import frame_numbers, have_ffmpeg
from fixtures.spec import ClipSpec, Gop
from pipeline.assemble import Assembled, AssetProgress, Planned, Step, assemble, plan_media
from pipeline.digests import file_digest
from pipeline.errors import ErrorCode, RequestRejected, SourceError, StoreError
from pipeline.fetch import Fetcher
from pipeline.price import quote
from pipeline.request import GenerationRequest, Resolved, body, job_key, resolve
from pipeline.stores.content import Stored, content_of
from preprocess import (
    AudioChoice,
    Intent,
    Prepared,
    Role,
    Route,
    Short,
    VerifyLevel,
    load_profile,
    parse_window,
)
from tests.images import stills
from tests.submit.web import says, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.stores.content import OnBytes

PROFILE = load_profile("seedance-2-0-mini")


class Shelf:
    """A store that notes what happens when, and may be told to dawdle or fail."""

    def __init__(self, events: list[str] | None = None) -> None:
        self.events = [] if events is None else events
        self.held: dict[str, asyncio.Event] = {}
        self.failing: set[str] = set()
        self.contents: dict[str, bytes] = {}
        self.begun = asyncio.Event()

    async def put(self, prepared: Prepared, *, on_progress: OnBytes | None = None) -> Stored:
        content = await content_of(prepared)
        kind = content.media_type.partition("/")[0]
        self.events.append(f"{kind} upload begins")
        self.begun.set()
        if kind in self.held:
            await self.held[kind].wait()
        if kind in self.failing:
            raise StoreError(ErrorCode.STORE_DENIED, "the shelf is closed")
        self.contents[content.name] = content.path.read_bytes()
        if on_progress is not None:
            on_progress(content.size_bytes, content.size_bytes)
        self.events.append(f"{kind} upload ends")
        return Stored(
            url=f"https://shelf.example/{content.name}",
            expires_at=None,
            key=content.name,
            reused=False,
            head_ok=True,
        )


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("media")
    upright = ClipSpec(name="upright", frames=60, width=640, height=1136, sound=None)
    return {
        "clip": make_clip(replace(upright, width=640, height=360), folder / "clip.mov"),
        "upright": make_clip(upright, folder / "upright.mp4"),
        "short": make_clip(replace(upright, frames=15), folder / "short.mp4"),
        "wide": stills.save(stills.picture(1600, 900), folder / "a.png", "png"),
        "tall": stills.save(stills.picture(600, 1000), folder / "b.jpg", "jpeg"),
    }


def resolved(**asked: Any) -> Resolved:  # noqa: ANN401 - what a user gives
    return resolve(GenerationRequest(**{"prompt": "make it snow", **asked}), PROFILE)


def run(
    request: Resolved,
    folder: Path,
    store: Shelf | None = None,
    **more: Any,  # noqa: ANN401
) -> tuple[Planned, Assembled, list[AssetProgress]]:
    told: list[AssetProgress] = []

    async def work() -> tuple[Planned, Assembled]:
        planned = await plan_media(request, folder, on_progress=told.append, **more)
        done = await assemble(planned, store or Shelf(), folder, on_progress=told.append)
        return planned, done

    planned, done = asyncio.run(asyncio.wait_for(work(), 120))
    return planned, done, told


def rejected(request: Resolved, folder: Path, **more: Any) -> list[tuple[str, str]]:  # noqa: ANN401
    store = Shelf()
    with pytest.raises(RequestRejected) as caught:
        run(request, folder, store, **more)
    assert store.events == []
    return [(each.rule, each.measured.partition(":")[0]) for each in caught.value.reasons]


def size(done: Assembled, name: str) -> tuple[int, int]:
    facts = done.prepared[name].facts
    shown = facts.image or facts.video
    assert shown is not None
    return shown.displayed.width, shown.displayed.height


# --- together ------------------------------------------------------------------------------------


def test_a_pair_gets_one_size_by_the_first_frame_and_the_request(
    media: dict[str, Path], tmp_path: Path
) -> None:
    request = resolved(image=media["wide"], image_end=media["tall"], resolution="480p")
    planned, done, _ = run(request, tmp_path)

    assert [size(done, name) for name in ("image", "image_end")] == [(864, 496)] * 2
    assert {intent.role for intent in planned.intents.values()} == {
        Role.FIRST_FRAME,
        Role.LAST_FRAME,
    }


def test_a_frame_has_the_ratio_that_the_request_asks_for(
    media: dict[str, Path], tmp_path: Path
) -> None:
    _, done, _ = run(resolved(image=media["wide"], aspect_ratio="1:1"), tmp_path)

    assert size(done, "image") == (960, 960)


def test_an_end_frame_has_the_shape_of_the_clip_that_is_extended(
    media: dict[str, Path], tmp_path: Path
) -> None:
    """Adaptive is the shape of the clip then, whatever the image's own."""
    request = resolved(video=media["upright"], image_end=media["wide"], mode="extend")
    planned, done, _ = run(request, tmp_path)

    assert size(done, "image_end") == (720, 1280)
    assert planned.intents["video"].wanted_role is Role.EXTEND_VIDEO


def test_a_clip_keeps_its_shape_whatever_ratio_the_result_has(
    media: dict[str, Path], tmp_path: Path
) -> None:
    _, done, _ = run(resolved(video=media["upright"], aspect_ratio="16:9"), tmp_path)

    assert size(done, "video") == (640, 1136)
    assert done.prepared["video"].route is Route.KEEP


@pytest.mark.slow
@pytest.mark.skipif(not have_ffmpeg(), reason="frames are read back by ffmpeg")
def test_edit_takes_the_head_and_extend_the_tail(tmp_path: Path) -> None:
    """The frames carry their numbers: 17 s at 24 frames a second, 408 of them."""
    spec = ClipSpec(
        name="long",
        frames=408,
        frame_rate=Fraction(24),
        width=640,
        height=640,
        sound=None,
        gop=Gop(length=24),
    )
    clip = make_clip(spec, tmp_path / "long.mp4")
    first = {}
    for mode in ("edit", "extend"):
        folder = tmp_path / mode
        folder.mkdir()
        _, done, _ = run(resolved(video=clip, mode=mode), folder)
        first[mode] = frame_numbers(done.prepared["video"].path)[0]

    assert first["edit"] == 0
    assert first["extend"] in range(48, 73)


def test_what_the_request_leaves_open_the_caller_says(
    media: dict[str, Path], tmp_path: Path
) -> None:
    request = resolved(video=media["short"])

    assert rejected(request, tmp_path) == [("video.short", "video")]
    folder = tmp_path / "held"
    folder.mkdir()
    _, done, _ = run(request, folder, intent=Intent(short=Short.HOLD))
    assert done.input_s is not None
    assert done.input_s >= 2
    with pytest.raises(LookupError):
        run(request, tmp_path, intent=Intent(profile="another"))


# --- all objections, nothing left running --------------------------------------------------------


def test_all_objections_of_all_media_are_told_and_nothing_is_stored(
    media: dict[str, Path], tmp_path: Path
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no picture\n" * 50)
    request = resolved(video=media["short"], image=text)

    assert sorted(rejected(request, tmp_path)) == [
        ("input.unsupported", "image"),
        ("video.short", "video"),
    ]


def test_both_frames_of_a_pair_are_looked_at(tmp_path: Path) -> None:
    request = resolved(image=b"%PDF-1.7 " * 9, image_end=tmp_path / "missing.png")

    assert rejected(request, tmp_path) == [("input.missing", "image_end")]
    request = resolved(image=b"%PDF-1.7 " * 9, image_end=b"%PDF-1.7 " * 9)
    folder = tmp_path / "again"
    folder.mkdir()
    assert rejected(request, folder) == [
        ("input.unsupported", "image"),
        ("input.unsupported", "image_end"),
    ]


def test_a_clip_for_a_frame_is_told_by_its_content(media: dict[str, Path], tmp_path: Path) -> None:
    assert rejected(resolved(image=media["clip"].read_bytes()), tmp_path) == [
        ("input.role", "image")
    ]


def test_a_store_that_fails_stops_the_rest(media: dict[str, Path], tmp_path: Path) -> None:
    """The clip would go on being uploaded for ever."""
    store = Shelf()
    store.failing, store.held = {"image"}, {"video": asyncio.Event()}

    with pytest.raises(StoreError):
        run(resolved(video=media["clip"], image=media["wide"], mode="edit"), tmp_path, store)
    assert "video upload ends" not in store.events


def test_cancelling_leaves_nothing_running(media: dict[str, Path], tmp_path: Path) -> None:
    store = Shelf()
    store.held = {"video": asyncio.Event()}

    async def work() -> set[asyncio.Task[Any]]:
        planned = await plan_media(resolved(video=media["clip"]), tmp_path)
        task = asyncio.create_task(assemble(planned, store, tmp_path))
        await store.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return {each for each in asyncio.all_tasks() if not each.done()}

    assert len(asyncio.run(work())) == 1  # itself


# --- overlap -------------------------------------------------------------------------------------


def test_an_image_is_stored_while_the_clip_is_prepared(
    media: dict[str, Path], tmp_path: Path
) -> None:
    events: list[str] = []
    store = Shelf(events)

    def told(progress: AssetProgress) -> None:
        if progress.step is Step.PREPARE:
            events.append(f"{progress.field} prepar{'ed' if progress.done else 'ing'}")

    async def work() -> None:
        request = resolved(video=media["clip"], image=media["wide"], mode="edit")
        planned = await plan_media(request, tmp_path)
        assert planned.plans["video"].route is Route.ENCODE
        await assemble(planned, store, tmp_path, on_progress=told)

    asyncio.run(asyncio.wait_for(work(), 60))

    assert events.index("image upload ends") < events.index("video prepared")
    assert events.index("video preparing") < events.index("image prepared")


def test_files_are_fetched_at_the_same_time(tmp_path: Path) -> None:
    """Each answer waits for the other request."""
    both: dict[str, asyncio.Event] = {}
    photo = stills.encoded(stills.picture(640, 640), "jpeg")

    def after(own: str, other: str) -> Callable[[asyncio.StreamWriter], Any]:
        async def say(writer: asyncio.StreamWriter) -> None:
            both[own].set()
            await both[other].wait()
            await says(photo)(writer)

        return say

    async def work() -> Planned:
        both.update(a=asyncio.Event(), b=asyncio.Event())
        async with serving(a=after("a", "b"), b=after("b", "a")) as web:
            request = resolved(image=f"{web.base}/a", image_end=f"{web.base}/b")
            return await plan_media(request, tmp_path, fetcher=Fetcher(allow_loopback=True))

    assert set(asyncio.run(asyncio.wait_for(work(), 20)).plans) == {"image", "image_end"}


# --- what comes of it ----------------------------------------------------------------------------


def test_what_is_stored_is_what_was_hashed(media: dict[str, Path], tmp_path: Path) -> None:
    store = Shelf()
    request = resolved(video=media["upright"], image=media["wide"].read_bytes(), mode="edit")
    planned, done, told = run(request, tmp_path, store)

    digests = {sha256(content).hexdigest() for content in store.contents.values()}
    assert {each.sha256 for each in done.prepared.values()} == digests
    assert {len(content) for content in store.contents.values()} == set(done.sizes.values())
    sent = body(request, done.urls)
    assert sent["video"] == f"https://shelf.example/{done.prepared['video'].sha256}.mp4"
    assert sent["image"] == f"https://shelf.example/{done.prepared['image'].sha256}.png"
    assert {(each.field, each.step) for each in told if each.done} == {
        (name, step) for name in ("image", "video") for step in Step
    }
    assert planned.input_s == done.input_s
    assert planned.input_s is not None
    assert quote(request, planned.input_s).max_input_s == planned.input_s


def key_of(folder: Path, intent: Intent | None = None, **asked: Any) -> str:  # noqa: ANN401
    request = resolved(**asked)
    folder.mkdir()
    planned = asyncio.run(plan_media(request, folder, intent=intent))
    return job_key(request, planned.digests)


def test_the_same_media_make_the_same_key_however_they_are_given(
    media: dict[str, Path], tmp_path: Path
) -> None:
    """A second try must not be paid for, whatever an encoder makes of it."""
    clip = media["clip"]
    with clip.open("rb") as file:
        keys = {
            key_of(tmp_path / "a", video=clip),
            key_of(tmp_path / "b", video=clip.read_bytes(), mode="edit", duration=5),
            key_of(tmp_path / "c", video=file),
            key_of(tmp_path / "d", Intent(verify=VerifyLevel.FULL), video=clip),
        }
    others = [
        key_of(tmp_path / "e", video=media["upright"]),
        key_of(tmp_path / "f", video=clip, image=media["wide"], mode="edit"),
        key_of(tmp_path / "g", video=clip, mode="extend"),
        key_of(tmp_path / "h", Intent(audio=AudioChoice.DROP), video=clip),
        key_of(tmp_path / "i", Intent(window=parse_window("0..2")), video=clip),
    ]

    assert len(keys) == 1
    assert len({*keys, *others}) == 1 + len(others)


def test_the_digest_of_a_long_file_reads_its_ends_and_places_between(tmp_path: Path) -> None:
    path = tmp_path / "long"
    mib, size = 1 << 20, 300 << 20
    with path.open("wb") as file:
        file.truncate(size)
    before = file_digest(path, Intent())
    for place in (0, 63 * mib, 64 * mib, 300 * mib - 1, 236 * mib):
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"x")
        assert before != (before := file_digest(path, Intent()))
    with path.open("ab") as file:
        file.truncate(size + 1)
    assert file_digest(path, Intent()) != before


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (2 << 20) + 1])
def test_the_digest_of_a_short_file_is_of_every_byte(size: int, tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(bytes(size))
    before = {file_digest(path, Intent())}
    for place in {0, size // 2, size - 1} if size else ():
        path.write_bytes(bytes(place) + b"x" + bytes(size - place - 1))
        before.add(file_digest(path, Intent()))

    assert len(before) == 1 + len({0, size // 2, size - 1} if size else ())


def test_nothing_is_written_beside_the_inputs(media: dict[str, Path], tmp_path: Path) -> None:
    before = set(media["clip"].parent.iterdir())
    _, done, _ = run(resolved(image=media["wide"]), tmp_path)

    assert set(media["clip"].parent.iterdir()) == before
    assert done.prepared["image"].path.is_relative_to(tmp_path)
    assert done.prepared["image"].receipt is not None


def test_a_request_without_media_has_nothing_to_assemble(tmp_path: Path) -> None:
    planned, done, told = run(resolved(), tmp_path)

    assert (dict(done.urls), dict(done.digests), told) == ({}, {}, [])
    assert planned.input_s is None


# --- as it is ------------------------------------------------------------------------------------


def as_is(request_of: Callable[[str], Resolved], folder: Path, page: Any) -> Assembled:  # noqa: ANN401
    async def work() -> Assembled:
        async with serving(x=page) as web:
            planned = await plan_media(
                request_of(f"{web.base}/x?v=1"),
                folder,
                fetcher=Fetcher(allow_loopback=True),
                as_is=True,
            )
            return await assemble(planned, Shelf(), folder)

    return asyncio.run(asyncio.wait_for(work(), 30))


def test_a_url_is_passed_on_as_it_is_when_that_is_asked(
    media: dict[str, Path], tmp_path: Path
) -> None:
    def request_of(url: str) -> Resolved:
        return resolved(image=url, image_end=media["tall"])

    done = as_is(request_of, tmp_path, says(stills.encoded(stills.picture(), "jpeg")))

    assert done.urls["image"].endswith("/x?v=1")
    assert set(done.prepared) == {"image_end"}
    assert done.digests["image"] == sha256(done.urls["image"].encode()).hexdigest()


def test_what_is_passed_on_is_looked_at_first(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        as_is(lambda url: resolved(image=url), tmp_path, says(b"<html>", Content_Type="text/html"))
    assert caught.value.code == "source_html"
    for url, code in (
        ("https://10.0.0.1/a.jpg", "source_private_address"),
        ("http://1.1.1.1/a.jpg", "source_url"),
    ):
        with pytest.raises(SourceError) as caught:
            asyncio.run(plan_media(resolved(image=url), tmp_path, as_is=True))
        assert caught.value.code == code


def test_a_url_is_fetched_and_prepared_otherwise(tmp_path: Path) -> None:
    async def work() -> Assembled:
        photo = stills.encoded(stills.picture(1600, 900), "webp")
        async with serving(x=says(photo)) as web:
            request = resolved(image=f"{web.base}/x")
            planned = await plan_media(request, tmp_path, fetcher=Fetcher(allow_loopback=True))
        return await assemble(planned, Shelf(), tmp_path)

    done = asyncio.run(asyncio.wait_for(work(), 30))

    assert size(done, "image") == (1280, 720)


def test_an_open_file_is_taken(media: dict[str, Path], tmp_path: Path) -> None:
    with media["wide"].open("rb") as file:
        _, done, _ = run(resolved(image=file), tmp_path)
    assert size(done, "image") == (1280, 720)
    with pytest.raises(SourceError) as caught:
        run(resolved(image=io.BytesIO(b"there is one")), tmp_path)
    assert caught.value.code == "source_not_written"
