"""The design's tables and borders, said a second time: plainly, slowly, from facts alone.

Nothing here calls the code that decides. Tables are whole (`at_start` and `at_end`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import ceil, floor
from typing import TYPE_CHECKING

from preprocess.facts import Dynamic, EditShape, Facts, IndexPlace, PictureTable, SyncKind
from preprocess.geometry import Orientation
from preprocess.intent import AudioChoice, Intent, Window, WindowKind
from preprocess.plan import Route

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from preprocess.facts import AudioTrack, VideoTrack
    from preprocess.profiles.model import AcceptVideo, Profile

NAMED_RATES = [Fraction(n) for n in (24, 25, 30, 50, 60)] + [
    Fraction(n * 1000, 1001) for n in (24, 30, 60)
]
REWRITE_S, CONSTANT_S = Fraction(1, 100), Fraction(1, 500)
SDR_NAMES = {None, "bt709", "smpte170m"}
SDR_GAMUTS = {*SDR_NAMES, "bt470bg"}


# --- the clock -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pace:
    """The rate a run of pictures has, and how far off its grid they are."""

    rate: Fraction
    off_s: Fraction


def off_grid_s(pts: Sequence[int], tick: Fraction, rate: Fraction) -> Fraction:
    """Half the spread between the earliest and the latest picture, each against its slot."""
    # Whole numbers of 1 / (rate * tick): as exact as fractions, and the only slow part here.
    ticks, slots = tick.numerator * rate.numerator, tick.denominator * rate.denominator
    lateness = [n * ticks - slot * slots for slot, n in enumerate(pts)]
    return Fraction(max(lateness) - min(lateness), 2 * tick.denominator * rate.numerator)


def pace_of(pts: Sequence[int], tick: Fraction, accept: AcceptVideo) -> Pace | None:
    """Section 4, cadence; ``None`` where it is variable. *pts* as shown."""
    if len(pts) < 2 or pts[0] == pts[-1]:
        return None
    average = (len(pts) - 1) / ((pts[-1] - pts[0]) * tick)
    own_rate = average.limit_denominator(1001)
    own = Pace(own_rate, off_grid_s(pts, tick, own_rate)) if own_rate > 0 else None
    # Half a per cent, and what 10 ms at either end may have added: two per cent at most.
    near = min(Fraction(1, 200) + 2 * REWRITE_S / ((pts[-1] - pts[0]) * tick), Fraction(1, 50))
    named = [Pace(rate, off_grid_s(pts, tick, rate)) for rate in _rates_near(average, near)]
    best = min(named, key=lambda pace: pace.off_s, default=None)
    own_fits = own is not None and own.off_s <= CONSTANT_S
    if best is not None and best.off_s <= REWRITE_S:
        # What is constant and allowed as it is is not moved to a nicer grid.
        fine = own_fits and own is not None and accept.min_rate <= own.rate <= accept.max_rate
        return own if fine and best.off_s > CONSTANT_S else best
    return own if own_fits else None


_FAMILY = {rate * n for rate in NAMED_RATES for n in range(1, 121)} | {
    rate / n for rate in NAMED_RATES for n in range(1, 121)
}


def _rates_near(average: Fraction, near: Fraction) -> set[Fraction]:
    low, high = average * (1 - near), average * (1 + near)
    return {rate for rate in _FAMILY if low <= rate <= high}


def written_rate(rate: Fraction, low: Fraction, high: Fraction) -> tuple[Fraction, int, int]:
    """Section 4: (rate of the result, times each picture is written, pictures one is taken of)."""
    if rate > high:
        every = ceil(rate / high)
        return rate / every, 1, every
    for times in range(1, 10_000):
        if rate * times >= low:
            return rate * times, times, 1
        if rate * times * 1001 >= low * 1000:  # formally under the floor: retimed
            return rate * times * Fraction(1001, 1000), times, 1
    raise AssertionError(rate)


# --- the window ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """The pictures that the result shows."""

    shown: list[int]
    pts: list[int]
    room: int
    pace: Pace | None
    rate: Fraction | None
    """Of the result."""
    times: int
    every: int

    @property
    def step_s(self) -> Fraction:
        return 1 / self.pace.rate if self.pace else Fraction(0)


def longest_s(video: VideoTrack, audio: AudioTrack | None) -> Fraction | None:
    """The longest track, whether edit lists are honoured or not."""
    if video.duration_s is None:
        return None
    lengths = [video.duration_s, video.media_duration_s or Fraction(0)]
    if audio is not None:
        start = audio.start_s or Fraction(0)
        lengths.append(audio.media_duration_s or Fraction(0))
        lengths.append(max(start, Fraction(0)) + (audio.duration_s or 0))
    return max(lengths)


def is_too_long(facts: Facts, accept: AcceptVideo) -> bool:
    """Longer than accepted, or of unknown length."""
    assert facts.video is not None
    longest = longest_s(facts.video, facts.audio)
    return longest is None or longest > accept.max_duration_s


def taken(facts: Facts, profile: Profile, intent: Intent) -> Taken:
    """Head, tail or span, at most the cap."""
    assert facts.video is not None
    table, window = facts.video.table, intent.wanted_window
    accept, target = profile.accept(intent.limits), profile.target
    shown = sorted({n for n in table.pts if table.is_shown(n) and n >= table.origin_pts})
    part = is_too_long(facts, accept) or window.kind is WindowKind.SPAN
    cap_s = target.max_duration_s if part else accept.max_duration_s
    pace = _pace_in(shown, facts, profile, intent, cap_s if part else None)
    pts = _asked_for(shown, table, window, pace)
    if part:
        pts = _within(pts, table, cap_s, window)
    if pace is None:
        return Taken(shown, pts, len(pts), None, None, 1, 1)
    if accept.min_rate <= pace.rate <= accept.max_rate:
        rate, times, every = pace.rate, 1, 1
    else:
        rate, times, every = written_rate(pace.rate, target.min_rate, target.max_rate)
    frames = floor(cap_s * rate)
    room = max(1, frames // times if times > 1 else frames * every)
    pts = pts[-room:] if window.kind is WindowKind.TAIL else pts[:room]
    if pts:
        off_s = off_grid_s(pts, table.time_base, pace.rate)
        if off_s > REWRITE_S:  # uneven after all, in the part that is taken
            return Taken(shown, pts, len(pts), None, None, 1, 1)
        pace = Pace(pace.rate, off_s)
    return Taken(shown, pts, room, pace, rate, times, every)


def _pace_in(
    shown: list[int], facts: Facts, profile: Profile, intent: Intent, cap_s: Fraction | None
) -> Pace | None:
    assert facts.video is not None
    table, window = facts.video.table, intent.wanted_window
    accept = profile.accept(intent.limits)
    if len(shown) == 1:
        said = facts.video.frame_rate_from_header or Fraction(0)
        fits = profile.target.min_rate <= said <= profile.target.max_rate
        return Pace(said if fits else profile.target.min_rate, Fraction(0))
    whole = pace_of(shown, table.time_base, accept)
    if whole is not None or cap_s is None:
        return whole
    pts = _within(_asked_for(shown, table, window, None), table, cap_s, window)
    pace = pace_of(pts, table.time_base, accept)
    return None if pace is not None and _pauses(pts, shown, table, cap_s, window, pace) else pace


def _pauses(
    pts: list[int],
    shown: list[int],
    table: PictureTable,
    cap_s: Fraction,
    window: Window,
    pace: Pace,
) -> bool:
    """Two steps or more at either end of the window show nothing new."""
    times = [(n - table.origin_pts) * table.time_base for n in pts]
    first_s, last_s = (
        (n - table.origin_pts) * table.time_base
        for n in (shown[0], shown[-1] + table.last_duration)
    )
    from_s, to_s = first_s, last_s
    if window.kind is WindowKind.TAIL:
        from_s = max(first_s, last_s - cap_s)
    if window.kind is WindowKind.SPAN:
        from_s = max(first_s, window.start_s)
        to_s = min(last_s, last_s if window.end_s is None else window.end_s)
    to_s = min(to_s, from_s + cap_s)
    return max(times[0] - from_s, to_s - times[-1]) >= 2 / pace.rate


def _within(pts: list[int], table: PictureTable, cap_s: Fraction, window: Window) -> list[int]:
    if window.kind is WindowKind.TAIL:
        return [n for n in pts if (pts[-1] - n) * table.time_base < cap_s]
    return [n for n in pts if (n - pts[0]) * table.time_base < cap_s]


def _asked_for(
    shown: list[int], table: PictureTable, window: Window, pace: Pace | None
) -> list[int]:
    if window.kind is not WindowKind.SPAN:
        return shown
    half_s = 1 / pace.rate / 2 if pace else Fraction(0)
    times = [(n, (n - table.origin_pts) * table.time_base + half_s) for n in shown]
    end_s = window.end_s
    return [n for n, at in times if at >= window.start_s and (end_s is None or at < end_s)]


def longest_copy(table: PictureTable, found: Taken, latest_start_s: Fraction) -> list[int]:
    """The longest run of packets that can be copied and shows pictures of the window alone."""
    best: list[int] = []
    if not found.pts or not table.exact_pts:
        return best
    for sync in table.sync:
        first = table.pts[sync.index]
        late_s = (first - found.pts[0]) * table.time_base
        if sync.kind not in (SyncKind.IDR, SyncKind.CRA) or not 0 <= late_s <= latest_start_s:
            continue
        follow = [n for n in table.pts[sync.index :] if n >= first]
        if len(set(follow)) < len(follow):
            continue
        for run in _clean_runs(follow):
            inside = len(run) <= found.room and max(run) <= found.pts[-1]
            if inside and all(map(table.is_shown, run)):
                best = max(best, run, key=len)
                break
    return best


def _clean_runs(packets: list[int]) -> Iterator[list[int]]:
    """The longest first."""
    in_order, latest = sorted(packets), accumulate(packets, max)
    # Clean: the first ones are exactly the earliest ones.
    clean = [n for n, last in enumerate(latest, 1) if last == in_order[n - 1]]
    return (packets[:count] for count in reversed(clean))


# --- the tables of section 3 ---------------------------------------------------------------------


def is_heard(facts: Facts, intent: Intent) -> bool:
    """Whether the sound is part of a result."""
    audio = facts.audio
    return (
        audio is not None
        and intent.audio is AudioChoice.KEEP
        and audio.decodable
        and bool(audio.sample_rate_hz and audio.channels)
    )


def pixel_faults(facts: Facts, profile: Profile, intent: Intent) -> set[str]:
    """What only an encode mends."""
    video, accept = facts.video, profile.accept(intent.limits)
    assert video is not None
    size = video.displayed
    shape = Fraction(size.width, size.height)
    asked = intent.wanted_aspect
    if asked is not None:
        asked = min(max(asked, profile.target.min_aspect), profile.target.max_aspect)
    shorter, longer = sorted((size.width, size.height))
    gamuts = {video.color_matrix, video.color_primaries}
    tests = {
        "codec": video.codec not in accept.video_codecs,
        "pixel format": video.pixel_format not in accept.pixel_formats or video.alpha,
        "range": video.dynamic is not Dynamic.SDR,
        "colour": not gamuts <= SDR_GAMUTS or video.color_transfer not in SDR_NAMES,
        "area": not accept.min_area_px <= size.width * size.height <= accept.max_area_px,
        "sides": shorter < accept.min_side_px or longer > accept.max_side_px,
        "even": bool(size.width % accept.side_multiple or size.height % accept.side_multiple),
        "shape": not accept.min_aspect <= shape <= accept.max_aspect,
        "asked shape": asked is not None and abs(shape / asked - 1) > Fraction(1, 200),
        "square pixels": video.sample_aspect != 1,
        "upright": video.orientation is not Orientation.NORMAL,
        "edits": video.edit is EditShape.COMPLEX,
        "scan": bool(video.interlaced),
        "changes": not video.uniform,
    }
    return {name for name, outside in tests.items() if outside}


def wrap_faults(facts: Facts, profile: Profile, intent: Intent, found: Taken) -> set[str]:
    """What new packets around the same pictures mend."""
    audio, accept = facts.audio, profile.accept(intent.limits)
    assert facts.video is not None
    tests = {
        "container": facts.container not in accept.containers,
        "index": facts.index is IndexPlace.FRAGMENTED and facts.container in accept.containers,
        "streams": len(facts.streams) > 1 + (audio is not None),
        "private": bool(facts.private_metadata) and not accept.allow_private_metadata,
        "bytes": facts.size_bytes > accept.max_bytes,
        "edits": facts.video.edit is EditShape.TRIMS,
        "time stamps": found.pace is not None and found.pace.off_s > CONSTANT_S,
        "sound left out": audio is not None and not is_heard(facts, intent),
    }
    faults = {name for name, outside in tests.items() if outside}
    if audio is not None and is_heard(facts, intent):
        faults |= _sound_faults(facts, audio, accept, found)
    return faults


def _sound_faults(facts: Facts, audio: AudioTrack, accept: AcceptVideo, found: Taken) -> set[str]:
    assert facts.video is not None
    packet_s = Fraction(audio.frame_samples or 1024, audio.sample_rate_hz or 1)
    start_s = audio.start_s or Fraction(0)
    sounds = accept.audio_codecs.get(facts.container or "", accept.audio_codecs["mp4"])
    whole = found.pts == found.shown
    lengths = (audio.duration_s, facts.video.duration_s)
    late = start_s > Fraction(25, 1000)
    tests = {
        "sound codec": audio.codec not in sounds,
        "sound start": late,
        "sound holes": audio.gap_s > packet_s,
        "sound edits": audio.edit in (EditShape.TRIMS, EditShape.COMPLEX) and not late,
        "sound end": whole
        and None not in lengths
        and start_s + (lengths[0] or 0) > (lengths[1] or 0) + packet_s,
    }
    return {name for name, outside in tests.items() if outside}


def copied_bytes(facts: Facts, intent: Intent, run: list[int], rate: Fraction) -> float:
    """About how large a copy is."""
    assert facts.video is not None
    table = facts.video.table
    chosen = set(run)
    picture = sum(b for n, b in zip(table.pts, table.sizes, strict=True) if n in chosen)
    sound = 0.0
    if facts.audio is not None and is_heard(facts, intent):
        sound = (facts.audio.bytes_per_s or 0) * float(len(run) / rate)
    return picture + sound + 32 * len(run)


def is_lasting_enough(found: Taken, accept: AcceptVideo) -> bool:
    """Whether the picture is long enough without help."""
    if found.rate is None:
        return True
    frames = len(found.pts) * found.times if found.times > 1 else ceil(len(found.pts) / found.every)
    return frames / found.rate >= accept.min_duration_s


def cheapest_route(facts: Facts, profile: Profile, intent: Intent) -> Route:
    """Section 3: the first route that is enough, for a clip that is not rejected."""
    accept, tolerances = profile.accept(intent.limits), profile.tolerances
    found = taken(facts, profile, intent)
    assert facts.video is not None
    if found.rate is None or found.pace is None:
        return Route.ENCODE  # made constant
    table = facts.video.table
    tail = intent.wanted_window.kind is WindowKind.TAIL
    copy = longest_copy(table, found, tolerances.tail_tolerance_s if tail else Fraction(0))
    given_up_s = (len(found.pts) - len(copy)) * found.step_s
    tolerance_s = tolerances.tail_tolerance_s if tail else tolerances.cut_tolerance_s
    can_cut = bool(copy) and given_up_s <= tolerance_s
    doubled = len([n for n in table.pts if found.pts[0] <= n <= found.pts[-1]]) > len(found.pts)
    other_pictures = found.times > 1 or found.every > 1 or not is_lasting_enough(found, accept)
    if pixel_faults(facts, profile, intent) or other_pictures or doubled or not table.exact_pts:
        return Route.ENCODE
    wraps = wrap_faults(facts, profile, intent, found)
    if found.rate != found.pace.rate:
        wraps.add("retimed")
    if "bytes" in wraps:
        too_many = copied_bytes(facts, intent, copy, found.rate) > profile.target.max_bytes
        if not copy or too_many:
            return Route.ENCODE
    part = found.pts != found.shown
    must_be_cut = is_too_long(facts, accept) or (
        part and intent.wanted_window.kind is WindowKind.SPAN
    )
    if must_be_cut or (part and wraps):
        return Route.CUT if can_cut else Route.ENCODE
    if wraps:
        return Route.REWRAP if copy and not given_up_s else Route.ENCODE
    return Route.KEEP
