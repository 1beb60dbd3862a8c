"""Picture tables from the index of an MP4 or MOV: no media data is read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median_low
from typing import TYPE_CHECKING

from av.container import InputContainer

from preprocess.facts import AudioTrack, EditShape, PictureTable, Span, Sync, SyncKind
from preprocess.intent import WindowKind
from preprocess.job import ProbeRequest
from preprocess.native import decoder_of, is_decodable, layout_of, sound_context
from preprocess.probe import bmff, nal
from preprocess.probe.sound_index import frame_samples, read_window

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.stream import Stream


MAX_PICTURES = 20_000
"""Pictures looked at around a window: 15 s at 1000 fps, and enough for any camera."""
REORDER_SLACK = 40
"""Pictures read past each end of a window: more than twice the 16 that H.264 and HEVC reorder."""
LOOK_AHEAD_S = Fraction(1)
SEEK_SLACK = 400
"""Packets that may lie between a seek target and the key picture it was meant for."""
_FAR_SYNC = 1200
"""A table starts at a key picture only if one is this near; decoding finds its own."""
_MAX_CANDIDATES = 90
_PRIMING_FRAMES = 3
"""Encoders prime AAC with one to three frames (1024 to 2112 samples)."""


class ProbeLimitError(ValueError):
    """The window holds more pictures than anybody films."""


class TruncatedError(ValueError):
    """The file ends long before its header says."""

    rule = "input.truncated"


class ClockError(TruncatedError):
    """Time stamps start again in the middle."""

    rule = "input.corrupt"


@dataclass(slots=True)
class Source:
    """An opened input and what is asked about it."""

    fd: int
    container: InputContainer
    movie: bmff.Movie | None
    """``None``: another container than MP4 and its relatives."""
    indexed: bool
    """The movie's index holds all samples, and its edit lists are simple enough to apply here."""
    request: ProbeRequest

    def decodes(self, stream: Stream) -> bool:
        """Whether *stream* is of a codec that is decoded, and was not tried in vain."""
        return is_decodable(stream) and stream.index not in self.request.undecodable


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the index or a scan told about the tracks."""

    table: PictureTable
    edit: EditShape
    frames: int | None
    duration_s: Fraction | None
    media_duration_s: Fraction | None
    bit_rate_bps: int | None
    has_b_frames: bool | None
    audio: AudioTrack | None
    decode_table: PictureTable | None = None
    """``table`` by the times at which pictures are decoded, where the container has no others."""
    readable_frames: int | None = None
    left_out: int = 0
    lossy: bool = False
    uniform: bool = True
    bytes_read: int | None = None


@dataclass(frozen=True, slots=True)
class _Clock:
    """The picture track's time line: where it starts, ends and is cut by its edit list."""

    track: bmff.Track
    samples: int
    empty_s: Fraction
    media_time: int
    shown_from: int | None
    shown_until: int | None
    origin: int
    end: int
    """End of the last shown picture."""

    @property
    def time_base(self) -> Fraction:
        return Fraction(1, self.track.time_scale)

    @property
    def lead(self) -> int:
        """Presentation minus decode time of the first sample."""
        first = self.track.presentation_times(0, 1)
        return first[0] if first else 0


def read_indexed(
    source: Source, stream: Stream, audio_stream: AudioStream | None, size_bytes: int
) -> Read:
    """Read the tables of *stream* and *audio_stream* from the movie's index."""
    movie = source.movie
    assert movie is not None  # noqa: S101 - callers choose this reader by it
    track = next((t for t in movie.tracks if t.id == stream.id), None)
    if track is None:
        msg = f"track {stream.id} is not in the index"
        raise ValueError(msg)
    clock = _clock(movie, track)
    first, last = _wanted_ticks(clock, source.request)
    start, stop = _sample_range(clock, first, last)
    if stop - start > MAX_PICTURES:
        msg = f"{stop - start} pictures in the window, at most {MAX_PICTURES} are looked at"
        raise ProbeLimitError(msg)
    pts = track.presentation_times(start, stop)
    sizes = track.sample_sizes(start, stop)
    table = PictureTable(
        time_base=clock.time_base,
        pts=tuple(pts),
        sizes=tuple(sizes),
        sync=tuple(
            Sync(index=i - start, kind=SyncKind.UNSEEN) for i in track.sync_between(start, stop)
        ),
        at_start=start == 0,
        at_end=stop == clock.samples,
        last_duration=_last_duration(track, clock.samples),
        origin_pts=clock.origin,
        shown_from=clock.shown_from,
        shown_until=clock.shown_until,
    )
    readable = _readable_pictures(stream, range(start, stop), size_bytes)
    audio = (
        _indexed_audio(source, audio_stream, clock, (first, last), size_bytes)
        if audio_stream is not None
        else None
    )
    seconds = (max(pts) - min(pts) + table.last_duration) * clock.time_base if pts else 0
    return Read(
        table=table,
        edit=_edit_shape(clock),
        frames=clock.samples,
        duration_s=(clock.end - clock.origin) * clock.time_base,
        media_duration_s=_media_ticks(track, clock.samples) * clock.time_base,
        bit_rate_bps=round(8 * sum(sizes) / seconds) if seconds > 0 else None,
        has_b_frames=any(a > b for a, b in pairwise(pts)),
        audio=audio,
        readable_frames=readable if readable < len(pts) else None,
        uniform=track.sample_entries <= 1
        and len(_announced(source.fd, stream, [start + sync.index for sync in table.sync])) <= 1,
        bytes_read=0,
    )


def _media_ticks(track: bmff.Track, samples: int) -> int:
    return track.deltas.sum_before(samples) if track.deltas else 0


def _clock(movie: bmff.Movie, track: bmff.Track) -> _Clock:
    if track.deltas is None or not track.time_scale:
        msg = f"track {track.id} has no time table"
        raise ValueError(msg)
    samples = min(track.samples, track.deltas.total)
    offset = movie.edit_offset(track)
    assert offset is not None  # noqa: S101 - `simple` was tested for every track
    empty_s, media_time = offset
    edit = next((e for e in track.edits if e.media_time != -1), None)
    near_start = _around(track, samples, media_time)
    usual = max(1, _typical_delta(track, samples))
    # A picture is hidden once its whole display time lies before the edit.
    visible = [pts for pts in near_start if pts > media_time - usual]
    ending = track.presentation_times(max(0, samples - 2 * REORDER_SLACK), samples)
    until = None
    if edit is not None and edit.duration:
        until = media_time - (-edit.duration * track.time_scale // (movie.time_scale or 1))
    last_shown = [pts for pts in ending if until is None or pts < until]
    end = (max(last_shown) if last_shown else until or 0) + _last_duration(track, samples)
    hides_end = until is not None and any(pts >= until for pts in ending)
    hides_start = any(pts <= media_time - usual for pts in near_start)
    return _Clock(
        track=track,
        samples=samples,
        empty_s=empty_s,
        media_time=media_time,
        shown_from=media_time - usual + 1 if hides_start else None,
        shown_until=until if hides_end else None,
        origin=min(visible, default=min(near_start, default=0)),
        end=min(end, until) if hides_end and until is not None else end,
    )


def _around(track: bmff.Track, samples: int, ticks: int) -> list[int]:
    assert track.deltas is not None  # noqa: S101 - checked by `_clock`
    middle = track.deltas.index_at(ticks) if ticks > 0 else 0
    return track.presentation_times(
        max(0, middle - 2 * REORDER_SLACK), min(samples, middle + 2 * REORDER_SLACK)
    )


def _typical_delta(track: bmff.Track, samples: int) -> int:
    deltas = track.deltas.expand(0, min(samples, 64)) if track.deltas else []
    return median_low(deltas) if deltas else 1


def _last_duration(track: bmff.Track, samples: int) -> int:
    deltas = track.deltas.expand(max(0, samples - 1), samples) if track.deltas else []
    return (deltas[0] if deltas else 0) or _typical_delta(track, samples)


def _wanted_ticks(clock: _Clock, request: ProbeRequest) -> tuple[int, int]:
    """First and last tick that a plan may ask about."""
    start_s, end_s = window_bounds(request, (clock.end - clock.origin) * clock.time_base)
    scale = clock.track.time_scale
    return clock.origin + int(start_s * scale), clock.origin + int((end_s + LOOK_AHEAD_S) * scale)


def window_bounds(request: ProbeRequest, length_s: Fraction) -> tuple[Fraction, Fraction]:
    """Start and latest end of the wanted window in seconds from the first shown picture."""
    window = request.window
    if window.kind is WindowKind.TAIL:
        return max(Fraction(0), length_s - request.cap_s), length_s
    start = window.start_s if window.kind is WindowKind.SPAN else Fraction(0)
    end = start + request.cap_s
    if window.kind is WindowKind.SPAN and window.end_s is not None:
        end = min(end, window.end_s)
    return min(start, length_s), min(end, length_s)


def _sample_range(clock: _Clock, first: int, last: int) -> tuple[int, int]:
    deltas = clock.track.deltas
    assert deltas is not None  # noqa: S101 - checked by `_clock`
    near = max(0, deltas.index_at(first - clock.lead) - REORDER_SLACK // 2)
    sync = clock.track.sync_at_or_before(min(near, clock.samples - 1))
    start = sync if near - sync <= _FAR_SYNC else near
    stop = min(clock.samples, deltas.index_at(last - clock.lead) + REORDER_SLACK)
    return min(start, max(0, clock.samples - 1)), stop


def _edit_shape(clock: _Clock) -> EditShape:
    if not clock.track.edits:
        return EditShape.NONE
    trims = clock.empty_s > 0 or clock.shown_from is not None or clock.shown_until is not None
    return EditShape.TRIMS if trims else EditShape.PLAIN


_HEAD_BYTES = 512
"""Parameter sets stand before the picture they are for."""


def _announced(fd: int, stream: Stream, samples: list[int]) -> set[bytes]:
    """The parameter sets of the index and of key pictures: joined clips bring their own along."""
    context, entries = decoder_of(stream), stream.index_entries
    if context is None or context.codec.canonical_name not in ("h264", "hevc"):
        return set()
    codec, extradata = context.codec.canonical_name, context.extradata
    prefix = nal.length_size(codec, extradata)
    found = nal.stored_sequences(codec, extradata)
    for entry in (entries[n] for n in samples if n < len(entries)):
        head = os.pread(fd, min(entry.size, _HEAD_BYTES), entry.pos)
        found |= nal.sequences(codec, head, prefix)
    return found


def _readable_pictures(stream: Stream, samples: range, size_bytes: int) -> int:
    """How many of *samples* have their bytes inside the file."""
    entries = stream.index_entries
    known = range(samples.start, min(samples.stop, len(entries)))
    return sum(1 for i in known if entries[i].pos + entries[i].size <= size_bytes)


def _indexed_audio(
    source: Source,
    stream: AudioStream,
    clock: _Clock,
    wanted: tuple[int, int],
    size_bytes: int,
) -> AudioTrack | None:
    movie = source.movie
    assert movie is not None  # noqa: S101 - as in `read_indexed`
    track = next((t for t in movie.tracks if t.id == stream.id), None)
    offset = movie.edit_offset(track) if track else None
    if track is None or offset is None or track.deltas is None or not track.samples:
        return None
    if not track.time_scale:
        return None
    tick = Fraction(1, track.time_scale)
    empty_s, media_time = offset
    offset_s = empty_s - media_time * tick - clock.empty_s + clock.media_time * clock.time_base
    samples = min(track.samples, track.deltas.total)
    media_s = _media_ticks(track, samples) * tick
    edit = next((e for e in track.edits if e.media_time != -1), None)
    audible_s = media_s - media_time * tick
    origin_s = clock.origin * clock.time_base
    if edit is not None and edit.duration:
        audible_s = min(audible_s, Fraction(edit.duration, movie.time_scale or 1))
    window = read_window(
        track, stream, [ticks * clock.time_base - offset_s for ticks in wanted], size_bytes
    )
    context = sound_context(stream)
    start_s = media_time * tick + offset_s - origin_s
    audible = Span(start_s=start_s, end_s=start_s + audible_s)
    stored_s = media_s - media_time * tick
    layout = layout_of(context) if context else None
    return AudioTrack(
        stream=stream.index,
        codec=context.codec.canonical_name if context else track.format,
        profile=context.profile if context else None,
        decodable=source.decodes(stream),
        channels=layout.nb_channels if layout else None,
        channel_layout=layout.name if layout else None,
        sample_rate_hz=(context.sample_rate if context else None) or None,
        bit_rate_bps=round(8 * window.bytes_per_s) if window.bytes_per_s else None,
        time_base=tick,
        offset_s=offset_s,
        start_s=audible.start_s,
        priming_s=media_time * tick,
        frame_samples=frame_samples(window.usual, tick, context),
        duration_s=audible_s,
        media_duration_s=media_s,
        gap_s=window.gap_s,
        bytes_per_s=float(window.bytes_per_s) if window.bytes_per_s else None,
        edit=_audio_edit(track, empty_s, media_time, window.usual, (stored_s, audible_s)),
        spans=window.spans(offset_s - origin_s, audible),
        window_s=window.length_s if window.readable < 1 else None,
        readable_s=window.length_s * window.readable if window.readable < 1 else None,
    )


def _audio_edit(
    track: bmff.Track,
    empty_s: Fraction,
    media_time: int,
    usual: int,
    lengths_s: tuple[Fraction, Fraction],
) -> EditShape:
    if not track.edits:
        return EditShape.NONE
    stored_s, audible_s = lengths_s
    cut_s = stored_s - audible_s
    frame_s = Fraction(max(1, usual), track.time_scale)
    plain = empty_s == 0 and media_time <= _PRIMING_FRAMES * max(usual, 1) and cut_s <= 2 * frame_s
    return EditShape.PLAIN if plain else EditShape.TRIMS


def start_candidates(table: PictureTable, request: ProbeRequest) -> list[int]:
    """Positions of the key pictures that a copied window may start from."""
    last = max(table.pts)
    length_s = table.since_origin_s(last + table.last_duration)
    start_s, _ = window_bounds(request, length_s)
    tolerance = request.tail_tolerance_s if request.window.kind is WindowKind.TAIL else Fraction(0)
    frame_s = table.last_duration * table.time_base
    low, high = start_s - frame_s, start_s + tolerance + frame_s
    found = [
        sync.index
        for sync in table.sync
        if low <= table.since_origin_s(table.pts[sync.index]) <= high
    ]
    return found[:_MAX_CANDIDATES]
