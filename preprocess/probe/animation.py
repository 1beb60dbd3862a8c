"""Facts of animated images as clips: which picture is shown when, from headers alone.

GIF and APNG go through FFmpeg as other clips do: Pillow 13.0 takes a disposal that is not given
for the one before, and lays half clear pictures on others so that holes come. WebP and AVIF go
through Pillow: FFmpeg 8.1 has no animated WebP, and takes an AVIF's alpha for another track. So
does an APNG with a colour profile, which FFmpeg does not apply, and one whose first picture is to
be laid on nothing, in which FFmpeg finds no key picture.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.facts import (
    Dynamic,
    EditShape,
    Facts,
    PictureTable,
    StillImage,
    Sync,
    SyncKind,
    VideoTrack,
)
from preprocess.intent import WindowKind
from preprocess.job import Animation, Probed
from preprocess.native import MEANT_S, UNMEANT_S
from preprocess.probe import bmff, gif, png, webp
from preprocess.probe.tables import LOOK_AHEAD_S, MAX_PICTURES
from preprocess.untrusted import MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preprocess.job import ProbeRequest

TICKS = 90_000
"""Of a second: every usual delay is a whole number of them."""
MAX_TOTAL_PIXELS = 4_000_000_000
"""Of all pictures up to the window's end, which have to be laid on each other: 20 s of 8K."""
_CODECS = {"png": "apng", "webp": "webp", "avif": "av1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a picture appears."""

    pts: int
    """In `TICKS`."""
    duration: int
    size: int
    """Bytes."""


def moments(fd: int, container: str, size: int) -> Iterator[Moment]:
    """The pictures of an animation as browsers show them, once through.

    Raises:
        BoxError: the boxes of an AVIF are broken.
    """
    start_s = Fraction(0)
    for stated_s, stored in _delays(fd, container, size):
        end_s = start_s + (stated_s if stated_s > UNMEANT_S else MEANT_S)
        pts = round(start_s * TICKS)
        yield Moment(pts=pts, duration=round(end_s * TICKS) - pts, size=stored)
        start_s = end_s


def _delays(fd: int, container: str, size: int) -> Iterator[tuple[Fraction, int]]:
    if container == "png":
        return ((frame.delay_s, frame.size) for frame in png.frames(fd))
    if container == "webp":
        return webp.delays(fd)
    return _avif_delays(fd, size)


def _avif_delays(fd: int, size: int) -> Iterator[tuple[Fraction, int]]:
    tracks = bmff.read_movie(fd, size).tracks
    track = next((each for each in tracks if each.format == "av01" and each.deltas), None)
    if track is None or track.deltas is None or not track.time_scale:
        return
    for n in range(min(track.samples, track.deltas.total)):
        (delta,) = track.deltas.expand(n, n + 1)
        yield Fraction(delta, track.time_scale), track.sample_sizes(n, n + 1)[0]


def too_large(image: StillImage, pictures: int = 1) -> str | None:
    """Why so many pictures of that size are not decoded, for people."""
    area = image.stored.area
    if area <= MAX_PIXELS and area * pictures <= MAX_TOTAL_PIXELS:
        return None
    return f"{pictures:,} pictures of {image.stored}, {area * pictures / 1e6:,.0f} megapixels"


def needs_pillow(fd: int, image: StillImage, container: str) -> bool:
    """Whether FFmpeg would not show the animation as it is meant."""
    if container != "png":
        return container != "gif"
    first = next(png.frames(fd), None)
    return not (image.srgb or image.profile_broken) or first is None or first.over


def completed(fd: int, probed: Probed) -> Probed:
    """Correct what FFmpeg says of a GIF or APNG: all GIFs have alpha, and none are torn."""
    facts = probed.facts
    image, video = facts.image, facts.video
    if image is None or video is None:
        return probed
    seen, at_end = len(video.table.pts), video.table.at_end
    if at_end and seen == 1:  # a still in more colours than one palette has
        return Probed(facts=_as_still(facts, image), opening=None)
    problem = too_large(image, seen)
    if problem is not None:
        return _faulty(facts, "input.pixels", problem)
    if facts.container == "png":
        video = replace(
            video, alpha=image.alpha, orientation=image.orientation, displayed=image.displayed
        )
        return replace(probed, facts=replace(facts, video=video))
    found = gif.look(fd, seen + at_end)
    if found.stray and at_end:
        return _faulty(facts, "input.corrupt", f"what follows picture {found.whole} is no GIF")
    torn = found.whole if found.whole < seen else None
    video = replace(video, alpha=found.alpha, readable_frames=torn)
    return replace(probed, facts=replace(facts, video=video))


def _as_still(facts: Facts, image: StillImage) -> Facts:
    return replace(facts, image=replace(image, animated=False), video=None, streams=())


def _faulty(facts: Facts, rule: str, detail: str) -> Probed:
    """What is no clip, though its first picture may do."""
    fault = replace(facts, video=None, fault=rule, fault_detail=detail)
    return Probed(facts=fault, opening=None)


def probe_animation(fd: int, facts: Facts, request: ProbeRequest) -> Probed:
    """Complete *facts* of an animated image that Pillow decodes.

    Raises:
        BoxError, OSError, ValueError: it is damaged.
    """
    image, container = facts.image, facts.container or ""
    assert image is not None  # noqa: S101 - the caller has looked
    kept, total, at_end = _around(moments(fd, container, facts.size_bytes), request)
    problem = too_large(image, total)
    if problem is not None:
        return _faulty(facts, "input.pixels", problem)
    if image.dynamic is not Dynamic.SDR:  # Pillow decodes it to 8 bits, and says so to nobody
        return Probed(facts=facts, opening=None)
    opening = Animation(
        container=container,
        convert=not (image.srgb or image.profile_broken),
        primaries=image.primaries,
        transfer=image.transfer,
    )
    video = _track(image, _CODECS[container], kept, total, at_end=at_end)
    return Probed(facts=replace(facts, video=video), opening=opening)


def _around(found: Iterator[Moment], request: ProbeRequest) -> tuple[list[Moment], int, bool]:
    """The pictures around the window, how many were seen, and whether that was all."""
    window = request.window
    end_s = window.start_s + request.cap_s + LOOK_AHEAD_S
    kept: deque[Moment] = deque(maxlen=MAX_PICTURES)
    total = past = 0
    for moment in found:
        kept.append(moment)
        total += 1
        # One more: of the last one of a part nobody knows how long it stays.
        past += window.kind is not WindowKind.TAIL and moment.pts > end_s * TICKS
        if past > 1:
            return list(kept), total, False
    return list(kept), total, True


def _track(
    image: StillImage, codec: str, kept: list[Moment], total: int, *, at_end: bool
) -> VideoTrack:
    last = kept[-1]
    length_s = Fraction(last.pts + last.duration, TICKS)
    seen_s = length_s - Fraction(kept[0].pts, TICKS)
    table = PictureTable(
        time_base=Fraction(1, TICKS),
        pts=tuple(moment.pts for moment in kept),
        sizes=tuple(moment.size for moment in kept),
        sync=(Sync(index=0, kind=SyncKind.OTHER),),
        at_start=total == len(kept),
        at_end=at_end,
        last_duration=last.duration,
        origin_pts=0,
        pauses=True,
    )
    return VideoTrack(
        stream=0,
        codec=codec,
        profile=None,
        level=None,
        decodable=True,
        coded=image.stored,
        displayed=image.displayed,
        orientation=image.orientation,
        sample_aspect=Fraction(1),
        pixel_format="rgba",
        bit_depth=image.bit_depth,
        color_matrix=None,
        color_primaries=None,
        color_transfer=None,
        full_range=None,
        dynamic=Dynamic.SDR,
        dolby_vision_profile=None,
        interlaced=False,
        has_b_frames=False,
        alpha=image.alpha,
        edit=EditShape.NONE,
        table=table,
        duration_s=length_s if at_end else None,
        media_duration_s=length_s if at_end else None,
        frames=total if at_end else None,
        bit_rate_bps=round(8 * sum(table.sizes) / seen_s),
        duration_s_from_header=None,
        frames_from_header=None,
        frame_rate_from_header=None,
    )
