"""Clips as facts, made by hand: decode orders, tables, tracks. No media, no disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from preprocess.facts import (
    AudioTrack,
    Dynamic,
    EditShape,
    Facts,
    IndexPlace,
    Kind,
    PictureTable,
    StreamFacts,
    Sync,
    SyncKind,
    VideoTrack,
)
from preprocess.geometry import Orientation, Size, displayed_size
from preprocess.profiles.load import load_profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from preprocess.plan import Plan, Rejection

PROFILE = load_profile("seedance-2-0-mini")
NTSC_24, NTSC_30, NTSC_60 = (Fraction(n * 1000, 1001) for n in (24, 30, 60))


class Shape(StrEnum):
    """How the pictures of a GOP refer to each other."""

    CLOSED = "closed"
    """I B B P B B P as shown; the I picture is shown first."""
    OPEN = "open"
    """B B I B B P: leading pictures refer to the GOP before."""
    PYRAMID = "pyramid"
    """Closed; B pictures refer to B pictures."""
    INTRA = "intra"
    """Only key pictures."""


@dataclass(frozen=True)
class Gop:
    """A group of pictures that begins with a key picture."""

    shape: Shape
    length: int
    b_frames: int = 2
    """Between two reference pictures."""
    sync: SyncKind = SyncKind.IDR

    def order(self) -> list[int]:
        """Places as shown, in decode order."""
        if self.shape is Shape.INTRA:
            return list(range(self.length))
        lead = min(self.b_frames, self.length - 1) if self.shape is Shape.OPEN else 0
        order = [lead, *range(lead)]
        at = lead + 1
        while at < self.length:
            end = min(at + self.b_frames, self.length - 1)
            order.append(end)
            between = range(at, end)
            order += _halved(between) if self.shape is Shape.PYRAMID else between
            at = end + 1
        return order


def _halved(places: Sequence[int]) -> list[int]:
    if not places:
        return []
    middle = len(places) // 2
    return [places[middle], *_halved(places[:middle]), *_halved(places[middle + 1 :])]


def closed(length: int, b_frames: int = 2, sync: SyncKind = SyncKind.IDR) -> Gop:
    return Gop(Shape.CLOSED, length, b_frames, sync)


def opened(length: int, b_frames: int = 2, sync: SyncKind = SyncKind.CRA) -> Gop:
    return Gop(Shape.OPEN, length, b_frames, sync)


def gops_of(gop: Gop, pictures: int, first: Gop | None = None) -> list[Gop]:
    """*pictures* pictures in GOPs like *gop*; the first may be another one."""
    gops: list[Gop] = []
    left = pictures
    while left > 0:
        like = first if first is not None and not gops else gop
        gops.append(replace(like, length=min(like.length, left)))
        left -= gops[-1].length
    return gops


def decode_order(gops: Iterable[Gop]) -> tuple[list[int], tuple[Sync, ...]]:
    """Places as shown, in decode order, and the key pictures."""
    order: list[int] = []
    syncs: list[Sync] = []
    for gop in gops:
        at = len(order)
        keys = range(gop.length) if gop.shape is Shape.INTRA else (0,)
        syncs += [Sync(index=at + key, kind=gop.sync) for key in keys]
        order += [at + place for place in gop.order()]
    return order, tuple(syncs)


def table_of(
    gops: Sequence[Gop],
    rate: Fraction | int = 30,
    *,
    time_base: Fraction | None = None,
    first_pts: int = 0,
    moved_s: Sequence[Fraction] | None = None,
    **other: Any,  # noqa: ANN401 - fields of PictureTable
) -> PictureTable:
    """A whole stream on the grid of *rate*; *moved_s* shifts single pictures as shown."""
    rate = Fraction(rate)
    tick = time_base if time_base is not None else 1 / Fraction(rate.numerator)
    order, syncs = decode_order(gops)
    step = 1 / (rate * tick)
    # Whole numbers: a table may have thousands of pictures.
    stamps = [first_pts + _rounded(n * step.numerator, step.denominator) for n in range(len(order))]
    if moved_s is not None:
        stamps = [pts + round(moved / tick) for pts, moved in zip(stamps, moved_s, strict=True)]
    fields: dict[str, Any] = {
        "time_base": tick,
        "pts": tuple(stamps[place] for place in order),
        "sizes": (4000,) * len(order),
        "sync": syncs,
        "at_start": True,
        "at_end": True,
        "last_duration": round(1 / (rate * tick)),
        "origin_pts": stamps[0] if stamps else 0,
    }
    return PictureTable(**(fields | other))


def _rounded(value: int, parts: int) -> int:
    return (2 * value + parts) // (2 * parts)


def part_of(table: PictureTable, start: int, stop: int) -> PictureTable:
    """What a probe sees that looks at the pictures from *start* to *stop* in decode order."""
    whole_end = stop >= len(table.pts)
    return replace(
        table,
        pts=table.pts[start:stop],
        sizes=table.sizes[start:stop],
        sync=tuple(
            replace(sync, index=sync.index - start)
            for sync in table.sync
            if start <= sync.index < stop
        ),
        at_start=table.at_start and start == 0,
        at_end=table.at_end and whole_end,
    )


def length_s(table: PictureTable) -> Fraction:
    """Of what a whole table shows."""
    shown = [pts for pts in table.pts if table.is_shown(pts)]
    if not shown:
        return Fraction(0)
    return (max(shown) + table.last_duration - min(shown)) * table.time_base


def video_of(table: PictureTable, **other: Any) -> VideoTrack:  # noqa: ANN401 - fields of VideoTrack
    """A 720p H.264 track as phones and encoders write it."""
    coded = other.get("coded", Size(1280, 720))
    orientation = other.get("orientation", Orientation.NORMAL)
    aspect = other.get("sample_aspect", Fraction(1))
    whole = table.at_start and table.at_end
    fields: dict[str, Any] = {
        "stream": 0,
        "codec": "h264",
        "profile": "High",
        "level": 31,
        "decodable": True,
        "coded": coded,
        "displayed": displayed_size(coded, aspect, orientation or Orientation.NORMAL),
        "orientation": orientation,
        "sample_aspect": aspect,
        "pixel_format": "yuv420p",
        "bit_depth": 8,
        "color_matrix": "bt709",
        "color_primaries": "bt709",
        "color_transfer": "bt709",
        "full_range": False,
        "dynamic": Dynamic.SDR,
        "dolby_vision_profile": None,
        "interlaced": False,
        "has_b_frames": True,
        "alpha": False,
        "edit": EditShape.NONE,
        "table": table,
        "duration_s": length_s(table) if whole else None,
        "media_duration_s": length_s(replace(table, shown_from=None, shown_until=None))
        if whole
        else None,
        "frames": len(table.pts) if whole else None,
        "bit_rate_bps": 2_000_000,
        "duration_s_from_header": None,
        "frames_from_header": None,
        "frame_rate_from_header": None,
    }
    return VideoTrack(**(fields | other))


def audio_of(heard_s: Fraction | int, **other: Any) -> AudioTrack:  # noqa: ANN401 - fields of AudioTrack
    """Stereo AAC at 48 kHz that begins with the picture."""
    fields: dict[str, Any] = {
        "stream": 1,
        "codec": "aac",
        "profile": "LC",
        "decodable": True,
        "channels": 2,
        "sample_rate_hz": 48_000,
        "bit_rate_bps": 128_000,
        "time_base": Fraction(1, 48_000),
        "offset_s": Fraction(0),
        "start_s": Fraction(0),
        "priming_s": Fraction(0),
        "frame_samples": 1024,
        "duration_s": Fraction(heard_s),
        "media_duration_s": Fraction(heard_s),
        "gap_s": Fraction(0),
        "bytes_per_s": 16_000.0,
        "edit": EditShape.NONE,
    }
    return AudioTrack(**(fields | other))


def facts_of(video: VideoTrack, audio: AudioTrack | None = None, **other: Any) -> Facts:  # noqa: ANN401 - fields of Facts
    """An MP4 with these tracks and nothing else."""
    streams = [StreamFacts(index=video.stream, kind="video", codec=video.codec)]
    if audio is not None:
        streams.append(StreamFacts(index=audio.stream, kind="audio", codec=audio.codec))
    fields: dict[str, Any] = {
        "kind": Kind.VIDEO,
        "container": "mp4",
        "description": "MP4 video",
        "size_bytes": 3_000_000,
        "supported": True,
        "brands": ("isom",),
        "index": IndexPlace.FIRST,
        "video": video,
        "audio": audio,
        "streams": tuple(streams),
        "duration_s_from_header": video.duration_s,
    }
    return Facts(**(fields | other))


def clip(
    seconds: Fraction | float = 10,
    rate: Fraction | int = 30,
    gop: Gop | None = None,
    *,
    sound: bool = True,
    **video: Any,  # noqa: ANN401 - fields of VideoTrack
) -> Facts:
    """A clip that is fine unless it is too long: *seconds* at *rate* in closed GOPs of 30."""
    pictures = round(Fraction(seconds) * rate)
    table = table_of(gops_of(gop or closed(30), pictures), rate)
    track = video_of(table, **video)
    return facts_of(track, audio_of(length_s(table)) if sound else None)


def rules(decision: Plan | Rejection) -> set[str]:
    """The names of the rules that had something to say."""
    return {reason.rule for reason in decision.reasons}
