"""Rules about the file around the tracks. Pure; one function a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preprocess.facts import Facts, IndexPlace, Kind
from preprocess.intent import VIDEO_ROLES
from preprocess.plan import Reason, Route
from preprocess.rules.finding import Case, Change, Finding, Obstacle
from preprocess.rules.image import MAX_PIXELS, MAX_SCALED_PIXELS
from preprocess.rules.sound import is_kept

if TYPE_CHECKING:
    from collections.abc import Iterable

_IMAGES = "JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF"
_TAKEN = (
    "a video: MP4, MOV, 3GP, MKV, WebM, TS, PS, AVI, FLV, WMV, Ogg, MXF, DV or an animated image; "
    f"an image: {_IMAGES}"
)
_FAULTS = {
    "input.corrupt": ("readable media", "export or download the file again"),
    "input.truncated": ("a complete file", "download or copy the file again"),
    "input.pixels": (
        "at most 35 megapixels each and 4 gigapixels up to the window's end",
        "export a smaller animation, or use --mode i2v_first for its first frame",
    ),
    "input.streams": ("at most 16 tracks", "export the clip with one picture and one sound track"),
    "image.pixels": (
        f"<= {MAX_PIXELS / 1e6:.0f} megapixels, {MAX_SCALED_PIXELS / 1e6:.0f} of a baseline JPEG",
        "export a smaller image",
    ),
    "input.no_picture": ("a picture track", "use a file that shows something"),
}


_MOVING = (Kind.VIDEO, Kind.IMAGE)


def input_objections(facts: Facts) -> list[Reason]:
    """Why a file cannot be looked at as a clip at all."""
    if not facts.size_bytes:
        return [
            Reason(
                rule="input.empty",
                measured="0 bytes",
                limit="a video or an image",
                fix="upload the file again",
            )
        ]
    if facts.fault is not None:
        limit, fix = _FAULTS.get(facts.fault, _FAULTS["input.corrupt"])
        measured = facts.fault_detail or facts.description
        return [Reason(rule=facts.fault, measured=measured, limit=limit, fix=fix)]
    if facts.kind is Kind.IMAGE and facts.video is None:
        return [
            Reason(
                rule="input.image",
                measured=facts.description,
                limit=_IMAGES,
                fix="save it as JPEG or PNG",
            )
        ]
    if facts.kind not in _MOVING or not facts.supported or facts.video is None:
        heard = facts.kind is Kind.AUDIO
        return [
            Reason(
                rule="input.audio_only" if heard else "input.unsupported",
                measured=facts.description,
                limit=_TAKEN,
                fix="use a file that has a picture"
                if heard
                else "use a file of one of these kinds",
            )
        ]
    return _unreadable(facts)


def _unreadable(facts: Facts) -> list[Reason]:
    video = facts.video
    assert video is not None  # noqa: S101 - the caller has looked
    objections = []
    if facts.encrypted:
        objections.append(
            Reason(
                rule="input.encrypted",
                measured="encrypted media",
                limit="none",
                fix="export the clip without copy protection",
            )
        )
    if not video.decodable:
        objections.append(
            Reason(
                rule="video.undecodable",
                measured=video.codec,
                limit="a codec that can be read",
                value=video.codec,
                fix="export the clip as H.264",
            )
        )
    if video.readable_frames is not None:
        total, there = len(video.table.pts), max(video.readable_frames, 0)
        objections.append(
            Reason(
                rule="input.truncated",
                measured=f"{there} of {total} pictures of the window are there",
                limit="all of them",
                value=there,
                limit_value=total,
                unit="pictures",
                fix="download or copy the file again",
            )
        )
    return objections


def role(case: Case) -> Iterable[Finding]:
    """A clip is used where a clip is wanted."""
    wanted = case.intent.wanted_role
    if wanted not in VIDEO_ROLES:
        yield Obstacle(
            Reason(
                rule="input.role",
                measured="a video",
                limit=f"a still image, as {wanted.value}",
                value="video",
                limit_value="image",
                fix="use --mode edit, extend or reference, or give an image",
            )
        )


def streams(case: Case) -> Iterable[Finding]:
    """One picture track, at most one sound track, nothing else."""
    facts = case.facts
    sounds = sum(1 for stream in facts.streams if stream.kind == "audio")
    extra = len(facts.streams) - 1 - (1 if case.audio is not None else 0)
    if extra > 0:
        counted = ", ".join(sorted({stream.kind for stream in facts.streams}))
        yield Change(
            Reason(
                rule="file.streams",
                measured=f"{len(facts.streams)} tracks ({counted})",
                limit="1 video, at most 1 audio",
                value=len(facts.streams),
                limit_value=2 if sounds else 1,
                unit="tracks",
                fix="the others left out",
            ),
            Route.REWRAP,
        )


def private_metadata(case: Case) -> Iterable[Finding]:
    """Nothing in the container tells about a person, a place or a device."""
    found = case.facts.private_metadata
    if found and not case.accept.allow_private_metadata:
        yield Change(
            Reason(
                rule="file.private_metadata",
                measured=", ".join(found),
                limit="none",
                value=len(found),
                limit_value=0,
                unit="entries",
                fix="removed",
            ),
            Route.REWRAP,
        )


def container(case: Case) -> Iterable[Finding]:
    """The container is an accepted one."""
    name = case.facts.container or "unknown"
    if name not in case.accept.containers:
        yield Change(
            Reason(
                rule="file.container",
                measured=name,
                limit=" or ".join(sorted(case.accept.containers)),
                value=name,
                limit_value=case.target.container,
                fix=f"rewrapped as {case.target.container}",
            ),
            Route.REWRAP,
        )


def index(case: Case) -> Iterable[Finding]:
    """The container has an index in one place."""
    place = case.facts.index
    if case.facts.container in case.accept.containers and place is IndexPlace.FRAGMENTED:
        yield Change(
            Reason(
                rule="file.index",
                measured="fragmented",
                limit="one index, first or last",
                value=place.value,
                limit_value=IndexPlace.FIRST.value,
                fix="one index, first",
            ),
            Route.REWRAP,
        )


def size(case: Case) -> Iterable[Finding]:
    """The file has at most the accepted number of bytes."""
    cap = case.accept.max_bytes
    if case.facts.size_bytes <= cap:
        return
    copied = copied_bytes(case)
    fits = copied is not None and copied <= case.target.max_bytes
    yield Change(
        Reason(
            rule="file.size",
            measured=f"{case.facts.size_bytes / 1e6:.1f} MB",
            limit=f"<= {cap / 1e6:g} MB",
            value=case.facts.size_bytes,
            limit_value=cap,
            unit="bytes",
            fix="what is kept fits" if fits else "encoded at a lower rate",
        ),
        Route.REWRAP if fits else Route.ENCODE,
    )


_CONTAINER_BYTES_PER_PICTURE = 32
"""Index entries of one picture and the sound beside it, generously."""


def copied_bytes(case: Case) -> int | None:
    """About how large a copied result would be; ``None`` if nothing can be copied."""
    chosen, table = case.chosen, case.video.table
    if chosen.slice is None:
        return None
    copied = set(chosen.slice.pts)
    picture = sum(size for pts, size in zip(table.pts, table.sizes, strict=True) if pts in copied)
    sound = 0.0
    if case.audio is not None and is_kept(case):
        sound = (case.audio.bytes_per_s or 0) * float(chosen.slice_frames / chosen.rate)
    return picture + round(sound) + _CONTAINER_BYTES_PER_PICTURE * chosen.slice_frames


def obstacles(findings: Iterable[Finding]) -> tuple[Reason, ...]:
    """The reasons of those findings that cannot be mended."""
    return tuple(found.reason for found in findings if isinstance(found, Obstacle))
