"""Which pictures a result is made of: the window, its cadence and its lossless slice. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess import schedule
from preprocess.facts import AudioTrack, PictureTable, Span, SyncKind, VideoTrack
from preprocess.intent import Window, WindowKind
from preprocess.plan import Slice
from preprocess.timing import (
    Cadence,
    clean_ends,
    conforming_rate,
    deviation,
    divisor,
    find_cadence,
    open_end,
    own_cadence,
    repeats,
)

if TYPE_CHECKING:
    from preprocess.profiles.model import AcceptVideo, TargetVideo, Tolerances


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The part of a clip that the result shows."""

    pts: tuple[int, ...]
    """Shown pictures in display order, ticks of the table."""
    whole: bool
    """Nothing shown lies outside."""
    doubled: bool
    """Pictures share a time stamp."""
    too_long: bool
    """The clip is longer than allowed, so a part of it was chosen."""
    longest_s: Fraction | None
    """The longest track, edits honoured or not; ``None`` if its end was not read."""
    cadence: Cadence | None
    """``None``: variable."""
    rate: Fraction
    """Rate of the result."""
    writes: tuple[int, ...]
    """How often an encode writes each of ``pts``."""
    stills: tuple[Span, ...]
    """When each picture is shown, where the rate is variable."""
    slice: Slice | None
    """The pictures that can be copied, if a clean start and end are proven."""
    slice_frames: int
    given_up_s: Fraction
    """What the slice leaves out of the window."""
    start_s: Fraction
    """Where the result begins, from the first shown picture of the clip."""
    slice_start_s: Fraction

    @property
    def frames(self) -> int:
        """Pictures of an encoded result."""
        return sum(self.writes)

    @property
    def longest_still_s(self) -> Fraction:
        """The longest that one picture stays, where the rate is variable."""
        return max((still.length_s for still in self.stills), default=Fraction(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """Pictures of the window and the rate they get."""

    pts: list[int]
    start: Fraction
    """Where the result begins, in ticks."""
    cadence: Cadence | None
    rate: Fraction
    writes: tuple[int, ...]
    room: int
    """Pictures that a slice may have."""
    stills: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The window, and the most that may be taken of it."""

    window: Window
    part: bool
    """Not all of the clip."""
    cap_s: Fraction


def longest_track_s(video: VideoTrack, audio: AudioTrack | None) -> Fraction | None:
    """Length of the longest track, whether a reader honours edit lists or not."""
    if video.duration_s is None:
        return None
    known = [video.duration_s, video.media_duration_s]
    if audio is not None:
        late = max(audio.start_s or Fraction(0), Fraction(0))
        known += [audio.media_duration_s, late + (audio.duration_s or 0)]
    return max(length for length in known if length is not None)


def choose(
    video: VideoTrack,
    audio: AudioTrack | None,
    window: Window,
    accept: AcceptVideo,
    target: TargetVideo,
    tolerances: Tolerances,
) -> Chosen:
    """Choose the pictures of *window* and the best lossless slice of them."""
    table = video.table
    packets = shown_packets(table)
    shown = sorted(set(packets))
    longest_s = longest_track_s(video, audio)
    too_long = longest_s is None or longest_s > accept.max_duration_s
    part = too_long or window.kind is WindowKind.SPAN
    cap_s = target.max_duration_s if part else accept.max_duration_s
    wanted = _Wanted(window=window, part=part, cap_s=cap_s)
    taken = _take_constant(shown, video, wanted, accept, target, tolerances)
    if taken is None:
        taken = _take_variable(shown, table, wanted, target)
    pts = taken.pts
    all_of_it = len(pts) == len(shown) and (
        not pts or taken.start - pts[0] < 1 / (taken.rate * table.time_base)
    )
    found = _best_slice(table, window, pts, taken.room, tolerances) if taken.cadence else None
    step_s = 1 / taken.cadence.rate if taken.cadence else Fraction(0)
    lossless, frames, first = found if found is not None else (None, 0, 0)
    return Chosen(
        pts=tuple(pts),
        whole=all_of_it and table.at_start and table.at_end,
        doubled=bool(pts) and sum(pts[0] <= p <= pts[-1] for p in packets) > len(pts),
        too_long=too_long,
        longest_s=longest_s,
        cadence=taken.cadence,
        rate=taken.rate,
        writes=taken.writes,
        stills=taken.stills,
        slice=lossless,
        slice_frames=frames,
        given_up_s=(len(pts) - frames) * step_s,
        start_s=table.since_origin_s(taken.start) if pts else Fraction(0),
        slice_start_s=table.since_origin_s(first),
    )


def _take_constant(
    shown: list[int],
    video: VideoTrack,
    wanted: _Wanted,
    accept: AcceptVideo,
    target: TargetVideo,
    tolerances: Tolerances,
) -> _Taken | None:
    """The window at its own constant rate or an even step of it; ``None``: there is none."""
    table = video.table
    cadence = _cadence(shown, video, accept, target, tolerances)
    if cadence is None and wanted.part:  # what is uneven may lie outside
        near = _in_window(shown, table, wanted, None)
        cadence = _cadence(near, video, accept, target, tolerances)
        if cadence is not None and not _fills(near, _bounds(shown, table, wanted), cadence, table):
            return None
    if cadence is None:
        return None
    rate, repeat, pick_every = _conformed(cadence, accept, target)
    if rate is None:
        return None
    pts = _in_window(shown, table, wanted, cadence) if wanted.part else shown
    most = int(wanted.cap_s * rate)
    room = max(1, (most // repeat) if repeat > 1 else most * pick_every)
    pts = pts[-room:] if wanted.window.kind is WindowKind.TAIL else pts[:room]
    if pts and len(pts) != len(shown):
        off_s = deviation(pts, table.time_base, cadence.rate)
        if off_s > tolerances.rewrite_s:
            return None
        cadence = replace(cadence, deviation_s=off_s)
    if table.pauses and pts and not _fills(pts, _bounds(shown, table, wanted), cadence, table):
        return None
    return _Taken(
        pts=pts,
        start=Fraction(pts[0] if pts else 0),
        cadence=cadence,
        rate=rate,
        writes=schedule.even(len(pts), repeat, pick_every, most),
        room=room,
    )


def _fills(
    pts: list[int], bounds: tuple[Fraction, Fraction], cadence: Cadence, table: PictureTable
) -> bool:
    """Whether no pause reaches into the window from its ends."""
    step = 1 / (cadence.rate * table.time_base)
    return pts[0] - bounds[0] < 2 * step and bounds[1] - pts[-1] < 2 * step


def _bounds(shown: list[int], table: PictureTable, wanted: _Wanted) -> tuple[Fraction, Fraction]:
    """Where the window begins and ends, in ticks."""
    tick, cap = table.time_base, wanted.cap_s / table.time_base
    start = Fraction(shown[0] if shown else 0)
    end = Fraction(shown[-1] + table.last_duration if shown else 0)
    if wanted.window.kind is WindowKind.TAIL:
        start = max(start, end - cap)
    elif wanted.window.kind is WindowKind.SPAN:
        start = max(start, table.origin_pts + wanted.window.start_s / tick)
        if wanted.window.end_s is not None:
            end = min(end, table.origin_pts + wanted.window.end_s / tick)
    return start, min(end, start + cap)


def _take_variable(
    shown: list[int], table: PictureTable, wanted: _Wanted, target: TargetVideo
) -> _Taken:
    """The window at the nearest standard rate, each picture for as long as it is shown."""
    tick = table.time_base
    start, end = _bounds(shown, table, wanted)
    first = bisect_right(shown, start) - 1
    pts = [p for p in shown[max(first, 0) :] if p < end] if start < end else []
    rate = schedule.nearest_rate(pts, tick, target.min_rate, target.max_rate)
    start += schedule.phase(pts, start, rate * tick) / (rate * tick)
    return _Taken(
        pts=pts,
        start=start,
        cadence=None,
        rate=rate,
        writes=schedule.by_time(pts, start, end, rate, tick, int(wanted.cap_s * rate)),
        room=0,
        stills=tuple(
            Span(start_s=table.since_origin_s(begin), end_s=table.since_origin_s(until))
            for begin, until in schedule.stills(pts, start, end)
        ),
    )


def shown_packets(table: PictureTable) -> list[int]:
    """Time stamps of the shown pictures in decode order, without the torn ends of a table."""
    return [pts for pts in _settled(table) if pts >= table.origin_pts and table.is_shown(pts)]


def _settled(table: PictureTable) -> tuple[int, ...]:
    """The pictures of a table whose neighbours are all in it.

    Where a table ends inside a stream, or a stream was broken off, the last pictures in decode
    order lack those that are shown between them; a clean boundary is the last point without such
    holes.
    """
    pts, start = table.pts, 0
    end = len(pts) - (open_end(pts) if table.at_end else 0)
    inner = clean_ends(pts)[:-1]
    if not table.at_end and inner:
        end = inner[-1]
    starts_clean = table.at_start or (table.sync and table.sync[0].index == 0)
    if not starts_clean and inner:
        start = inner[0]
    return pts[start:end] or pts


def _cadence(
    shown: list[int],
    video: VideoTrack,
    accept: AcceptVideo,
    target: TargetVideo,
    tolerances: Tolerances,
) -> Cadence | None:
    if len(shown) == 1:
        # One picture has no cadence; headers of such files say anything from 0 to 90000.
        said = video.frame_rate_from_header or Fraction(0)
        rate = said if target.min_rate <= said <= target.max_rate else target.min_rate
        return Cadence(rate=rate, deviation_s=Fraction(0))
    found = find_cadence(
        shown,
        video.table.time_base,
        snap=tolerances.rate_snap,
        rewrite_s=tolerances.rewrite_s,
        exact_s=tolerances.constant_s,
    )
    if found is None or found.deviation_s <= tolerances.constant_s:
        return found
    # A clip that is constant and accepted at its own rate is not moved to a nicer one.
    own = own_cadence(shown, video.table.time_base)
    fits = own is not None and own.deviation_s <= tolerances.constant_s
    return own if own is not None and fits and _is_accepted(own.rate, accept) else found


def _is_accepted(rate: Fraction, accept: AcceptVideo) -> bool:
    return accept.min_rate <= rate <= accept.max_rate


def _conformed(
    cadence: Cadence | None, accept: AcceptVideo, target: TargetVideo
) -> tuple[Fraction | None, int, int]:
    """Rate of the result, how often each picture is written, of how many one is."""
    if cadence is None or _is_accepted(cadence.rate, accept):
        return (cadence.rate if cadence else None), 1, 1
    rate = conforming_rate(cadence.rate, target.min_rate, target.max_rate)
    if rate is None:
        return None, 1, 1
    return rate, repeats(cadence.rate, target.min_rate), divisor(cadence.rate, target.max_rate)


def _in_window(
    shown: list[int], table: PictureTable, wanted: _Wanted, cadence: Cadence | None
) -> list[int]:
    """The shown pictures inside the window, none of them its cap or more from its anchored end."""
    window = wanted.window
    half = 1 / (2 * cadence.rate) if cadence is not None else Fraction(0)
    if window.kind is WindowKind.SPAN:
        start = table.origin_pts + _ticks(window.start_s - half, table)
        shown = [pts for pts in shown if pts >= start]
        if window.end_s is not None:
            end = table.origin_pts + _ticks(window.end_s - half, table)
            shown = [pts for pts in shown if pts < end]
    cap = _ticks(wanted.cap_s, table)
    if window.kind is WindowKind.TAIL:
        return [pts for pts in shown if pts > shown[-1] - cap]
    return [pts for pts in shown if pts < shown[0] + cap]


def _ticks(seconds: Fraction, table: PictureTable) -> int:
    """The first tick that is not before *seconds*."""
    return -(-seconds // table.time_base)


def _best_slice(
    table: PictureTable, window: Window, pts: list[int], room: int, tolerances: Tolerances
) -> tuple[Slice, int, int] | None:
    """The longest provably clean slice of *pts*: (slice, pictures, pts of the first)."""
    if not pts or not table.exact_pts:
        return None
    tolerance = tolerances.tail_tolerance_s if window.kind is WindowKind.TAIL else Fraction(0)
    latest = pts[0] + int(tolerance / table.time_base)
    for sync in table.sync:
        first = table.pts[sync.index]
        safe = sync.kind in (SyncKind.IDR, SyncKind.CRA)
        if safe and pts[0] <= first <= latest and table.is_shown(first):
            found = _slice_from(table, sync.index, pts[-1], room)
            if found is not None:
                return (*found, first)
    return None


def _slice_from(table: PictureTable, start: int, last: int, room: int) -> tuple[Slice, int] | None:
    first = table.pts[start]
    kept = [(n, pts) for n, pts in enumerate(table.pts[start:]) if pts >= first]
    order = [pts for _, pts in kept]
    if len(set(order)) != len(order):
        return None  # doubled time stamps prove nothing
    ends = clean_ends(order)
    if not table.at_end:
        ends = ends[:-1]
    hidden = next((n for n, pts in enumerate(order) if not table.is_shown(pts)), len(order))
    limit = min(room, hidden, sum(1 for pts in order if pts <= last))
    best = max((n for n in ends if n <= limit), default=0)
    if not best:
        return None
    skipped = kept[best - 1][0] + 1 - best
    return Slice(pts=tuple(order[:best]), skipped_leading=skipped), best
