"""Hypothesis strategies for everything a decision is made from, ugly corners included.

Most properties of a drawn clip are fine, so that plans of every route come out; shrinking makes
everything fine that need not be otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from preprocess.facts import (
    AudioTrack,
    Dynamic,
    EditShape,
    Facts,
    IndexPlace,
    Kind,
    PictureTable,
    StreamFacts,
    SyncKind,
    VideoTrack,
)
from preprocess.geometry import Orientation, Size
from preprocess.intent import (
    AudioChoice,
    Fit,
    Intent,
    Limits,
    Mode,
    Role,
    Short,
    VerifyLevel,
    Window,
    WindowKind,
)
from preprocess.profiles.model import Profile, VideoBounds
from tests.decide.clips import (
    NTSC_24,
    NTSC_30,
    NTSC_60,
    PROFILE,
    Gop,
    Shape,
    audio_of,
    facts_of,
    length_s,
    part_of,
    table_of,
    video_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
B = TypeVar("B", bound=VideoBounds)
Options = Mapping[str, st.SearchStrategy[Any]]


def fractions(low: Fraction | int, high: Fraction | int) -> st.SearchStrategy[Fraction]:
    """Times and rates to a thousandth."""
    return st.integers(int(low * 1000), int(high * 1000)).map(lambda n: Fraction(n, 1000))


@lru_cache(maxsize=None, typed=True)
def one_of_these(*values: T) -> st.SearchStrategy[T]:
    """One of *values*. Kept, as Hypothesis takes longer to make a strategy than to draw from it."""
    return st.sampled_from(values)


@st.composite
def some(draw: st.DrawFn, options: Options, *counts: int) -> dict[str, Any]:
    """Values for a few of *options*, as many as one of *counts*."""
    name, count = one_of_these(*options), draw(one_of_these(*counts))
    names = dict.fromkeys(draw(name) for _ in range(count))
    return {name: draw(options[name]) for name in names}


# --- time ----------------------------------------------------------------------------------------

STANDARD = (Fraction(30), Fraction(24), Fraction(25), Fraction(50), Fraction(60), NTSC_30, NTSC_60)
BELOW = (NTSC_24, Fraction(15), Fraction(12), Fraction(10), NTSC_30 / 2, Fraction(1), Fraction(23))
ABOVE = (Fraction(120), Fraction(240), 2 * NTSC_60, Fraction(90), Fraction(61), Fraction("60.06"))
ODD = (Fraction(48), Fraction("29.833"), Fraction(1000, 33), Fraction("24.031"), Fraction("59.7"))


ODD_RATES = one_of_these(*BELOW, *ABOVE, *ODD) | fractions(Fraction(1, 2), 250)
"""Slow, fast and odd rates, and any at all."""


_BORDERS = map(Fraction, ("2", "15", "15.1", "15.2", "14.98", "16.5", "18"))
LENGTHS_S = one_of_these(*_BORDERS) | fractions(2, 20)
"""Clip lengths, the borders of the limits above all."""
_FEW = st.integers(0, 4)
_SEEDS = st.integers(0, 99)


@st.composite
def gops(draw: st.DrawFn, pictures: int) -> list[Gop]:
    """One way to code *pictures* pictures: uniform GOPs, two kinds in turn, or one key picture."""
    kinds = []
    for _ in range(draw(one_of_these(1, 2))):
        shape = draw(one_of_these(*Shape))
        length = draw(one_of_these(30, 12, 60, 250, 3, 100_000))
        open_gop = shape is Shape.OPEN
        sync = draw(one_of_these(SyncKind.CRA if open_gop else SyncKind.IDR, *SyncKind))
        kinds.append(Gop(shape, length, draw(_FEW), sync))
    coded: list[Gop] = []
    left = pictures
    while left > 0:
        kind = kinds[len(coded) % len(kinds)]
        coded.append(replace(kind, length=min(kind.length, left)))
        left -= coded[-1].length
    if coded and draw(_FEW) != 1:
        # As most streams begin.
        shape = Shape.CLOSED if coded[0].shape is Shape.OPEN else coded[0].shape
        coded[0] = replace(coded[0], shape=shape, sync=SyncKind.IDR)
    return coded


@dataclass(frozen=True)
class Clip:
    """A stream, and what the probe saw of it."""

    whole: PictureTable
    table: PictureTable

    @property
    def length_s(self) -> Fraction:
        return length_s(self.whole)

    @property
    def media_s(self) -> Fraction:
        return length_s(replace(self.whole, shown_from=None, shown_until=None))


def jitter(amount_s: Fraction, count: int, seed: int) -> list[Fraction]:
    """Distances of *count* pictures from their places, none above *amount_s*."""
    dice = random.Random(seed)  # noqa: S311 - pictures, not keys
    steps = [amount_s * n / 20 for n in range(-20, 21)]
    return [dice.choice(steps) for _ in range(count)]


def uneven(rate: Fraction, count: int, seed: int) -> list[Fraction]:
    """As `jitter`, for pictures that stay one, two or four steps."""
    dice = random.Random(seed)  # noqa: S311 - as above
    late, moved = Fraction(0), []
    for _ in range(count):
        moved.append(late)
        late += dice.choice([0, 0, 0, 1, 3]) / rate
    return moved


_JITTERS = ("0.0015", "0.0025", "0.0075", "0.0101", "0.015")
_ODD_CLIPS: Options = {
    "length": fractions(0, 2) | one_of_these(Fraction(0), Fraction("1.8"), Fraction("1.9")),
    "rate": ODD_RATES,
    "jitter": one_of_these(*map(Fraction, _JITTERS)),
    "uneven": st.integers(0, 99),
    "first_pts": one_of_these(1, 1001, 126_000, -512, 2**33),
    "decode_times": st.none(),
    "hidden_before": one_of_these(0, 1, 2, 4),
    "hidden_after": one_of_these(0, 2, 3, 4),
    "last": one_of_these(0, 1, 2, 100_000),
    "double": st.integers(1, 50),
    "part": st.tuples(st.integers(0, 9), st.integers(1, 2000)),
}


@st.composite
def clips(draw: st.DrawFn, *counts: int) -> Clip:
    """A stream and a table of it, odd in as many ways as one of *counts*."""
    odd = draw(some(_ODD_CLIPS, *(counts or (0, 1, 1, 2, 3))))
    rate = odd.get("rate") or draw(one_of_these(*STANDARD))
    pictures = round((odd["length"] if "length" in odd else draw(LENGTHS_S)) * rate)
    moved = None
    if "jitter" in odd:
        moved = jitter(odd["jitter"], pictures, draw(_SEEDS))
    if "uneven" in odd:
        moved = uneven(rate, pictures, odd["uneven"])
    ticks = (None, Fraction(1, 90_000), Fraction(1, 1000), Fraction(1, 600), Fraction(1, 15_360))
    whole = table_of(
        draw(gops(pictures)),
        rate,
        time_base=draw(one_of_these(*ticks)),
        first_pts=odd.get("first_pts", 0),
        moved_s=moved,
        exact_pts="decode_times" not in odd,
    )
    if not pictures:
        return Clip(whole, whole)
    whole = _edited(whole, odd)
    if "last" in odd:
        whole = replace(whole, last_duration=odd["last"] * (odd["last"] > 1) * whole.last_duration)
    if "double" in odd and pictures > odd["double"] + 1:
        pts = list(whole.pts)
        pts[odd["double"]] = pts[odd["double"] + 1]
        whole = replace(whole, pts=tuple(pts))
    return Clip(whole, _seen(whole, *odd.get("part", (0, 10**9))))


def _edited(table: PictureTable, odd: Mapping[str, Any]) -> PictureTable:
    """*table* with quarters of it hidden, all of it in the worst case."""
    places = [*sorted(table.pts), max(table.pts) + 1]
    at = {name: places[odd.get(name, 0) * (len(places) - 1) // 4] for name in _EDITS}
    cut = replace(
        table,
        shown_from=at["hidden_before"] if "hidden_before" in odd else None,
        shown_until=at["hidden_after"] if "hidden_after" in odd else None,
    )
    return replace(cut, origin_pts=next((p for p in places if cut.is_shown(p)), places[0]))


_EDITS = ("hidden_before", "hidden_after")


def _seen(table: PictureTable, key: int, count: int) -> PictureTable:
    """What a probe sees: all, or a part that starts at a key picture and ends anywhere."""
    start = table.sync[min(key, len(table.sync) - 1)].index
    return part_of(table, start, min(start + count, len(table.pts)))


def tables() -> st.SearchStrategy[PictureTable]:
    """Picture tables of all kinds."""
    return clips().map(lambda clip: clip.table)


# --- tracks --------------------------------------------------------------------------------------

LEGAL = tuple(
    Size(width, height)
    for width, height in [(1280, 720), (720, 1280), (864, 496), (640, 640), (960, 960),
                          (1470, 630), (834, 1112), (1012, 406), (406, 1012), (1520, 608)]
)  # fmt: skip
ILLEGAL = tuple(
    Size(width, height)
    for width, height in [(1920, 1080), (3840, 2160), (640, 360), (852, 480), (1080, 1350),
                          (1, 1), (0, 0), (641, 641), (1281, 721), (298, 1400), (6002, 2402),
                          (1, 6000), (8192, 4320), (1920, 0), (1600, 400)]
)  # fmt: skip


def odd_sizes() -> st.SearchStrategy[Size]:
    """Known offenders, some near the limits, any at all."""
    near = st.builds(Size, st.integers(290, 1600), st.integers(290, 1600))
    return st.sampled_from(ILLEGAL) | near | st.builds(Size, st.integers(0, 8192), st.just(1080))


_COLOURS = one_of_these(None, "bt470bg", "smpte170m", "bt2020", "bt2020nc", "gbr", "smpte432")
_SECONDS = st.none() | fractions(0, 10**6)
_NUMBERS = one_of_these(None, 0, 1, -1, 10**9)
ODD_VIDEO: Options = {
    "coded": odd_sizes(),
    "orientation": one_of_these(*Orientation, None),
    "sample_aspect": one_of_these("4/3", "64/45", "1/2", "0", "100000", "1/100000").map(Fraction),
    "codec": one_of_these("hevc", "vp9", "mpeg4", "prores", "unknown", ""),
    "decodable": st.just(value=False),
    "pixel_format": one_of_these("yuvj420p", "yuv420p10le", "yuv444p", "yuva420p", None),
    "bit_depth": one_of_these(10, None),
    "color_matrix": _COLOURS,
    "color_primaries": _COLOURS,
    "color_transfer": _COLOURS,
    "full_range": st.sampled_from([True, None]),
    "dynamic": one_of_these(Dynamic.PQ, Dynamic.HLG),
    "interlaced": st.sampled_from([None, True]),
    "uniform": st.just(value=False),
    "alpha": st.just(value=True),
    "edit": st.sampled_from(list(EditShape)),
    "duration_s": _SECONDS,
    "media_duration_s": _SECONDS,
    "frames": _NUMBERS,
    "bit_rate_bps": _NUMBERS,
    "frame_rate_from_header": one_of_these("0", "90000", "30", "1/7").map(Fraction),
    "readable_frames": st.integers(-1, 5),
}
"""Fields of a picture track, and what they are in files that need work or cannot be used."""

ODD_AUDIO: Options = {
    "codec": one_of_these("mp3", "opus", "pcm_s16le", "pcm_s24be", "ac3", ""),
    "decodable": st.just(value=False),
    "channels": one_of_these(1, 6, 8, 0, None),
    "sample_rate_hz": one_of_these(44_100, 22_050, 8000, 96_000, 0, None, 1),
    "bit_rate_bps": _NUMBERS,
    "start_s": st.none() | fractions(-1, 1),
    "frame_samples": one_of_these(None, 1, 1152, 4096),
    "duration_s": _SECONDS,
    "media_duration_s": _SECONDS,
    "gap_s": fractions(0, 2),
    "bytes_per_s": one_of_these(None, 0.0, 1e9),
    "edit": st.sampled_from(list(EditShape)),
}
"""As `ODD_VIDEO`, of a sound track."""

_EXTRA = StreamFacts(index=7, kind="data", codec=None)
ODD_FILE: Options = {
    "kind": st.sampled_from(list(Kind)),
    "container": one_of_these("mov", "matroska", "mpegts", "avi", "3gp", None),
    "size_bytes": st.integers(1, 10**12) | one_of_these(0, 50_000_000, 50_000_001, 190_000_000),
    "supported": st.just(value=False),
    "fault": one_of_these("input.corrupt", "input.truncated", "input.streams", "input.new"),
    "index": st.sampled_from(list(IndexPlace)),
    "private_metadata": one_of_these(("location",), ("make", "model"), ("chapters", "data:tmcd")),
    "encrypted": st.just(value=True),
    "duration_s_from_header": _SECONDS,
    "streams": st.integers(1, 3).map(lambda n: (_EXTRA,) * n),
}
"""As `ODD_VIDEO`, of the file; ``streams`` come on top of those that are there."""

_ODD = {
    (part, field): strategy
    for part, options in (("video", ODD_VIDEO), ("audio", ODD_AUDIO), ("file", ODD_FILE))
    for field, strategy in options.items()
}
_FATAL = {("file", name) for name in ("kind", "supported", "fault", "encrypted")} | {
    ("video", name) for name in ("decodable", "readable_frames")
}
_MENDABLE: Options = {f"{p} {f}": s for (p, f), s in _ODD.items() if (p, f) not in _FATAL}
_ANYTHING: Options = {f"{p} {f}": s for (p, f), s in _ODD.items()} | {
    "video dynamic": st.sampled_from(list(Dynamic)),
    "video color_matrix": _COLOURS | st.just("ictcp"),
}


def _track_fields(odd: Mapping[str, Any], part: str) -> dict[str, Any]:
    start = f"{part} "
    return {name[len(start) :]: value for name, value in odd.items() if name.startswith(start)}


def _video(clip: Clip, fields: dict[str, Any]) -> VideoTrack:
    table = clip.table
    hides = table.shown_from is not None or table.shown_until is not None
    lengths = {"duration_s": clip.length_s, "media_duration_s": clip.media_s}
    edit = {"edit": EditShape.TRIMS if hides else EditShape.NONE}
    return video_of(table, **(lengths | edit | fields))


def _audio(clip: Clip, spare_s: Fraction, fields: dict[str, Any]) -> AudioTrack:
    return audio_of(max(Fraction(0), clip.length_s + spare_s), **fields)


@st.composite
def facts(draw: st.DrawFn, *, mendable: bool = False) -> Facts:
    """A file, odd in a few ways; *mendable*: in none that nothing can be done about.

    Once in a while everything about it is odd, or there is no clip in it at all.
    """
    odd = draw(some(_MENDABLE if mendable else _ANYTHING, 0, 1, 2, *((4,) if mendable else (40,))))
    clip = draw(clips(0, 0, 1) if mendable else clips())
    coded = {"coded": draw(one_of_these(*LEGAL))}
    video = _video(clip, coded | _track_fields(odd, "video"))
    spare_s = draw(one_of_these(Fraction(0), None, Fraction(-1), Fraction(1, 50), Fraction(2)))
    audio = None if spare_s is None else _audio(clip, spare_s, _track_fields(odd, "audio"))
    headers = _track_fields(odd, "file")
    found = facts_of(video, audio)
    headers["streams"] = found.streams + headers.get("streams", ())
    found = replace(found, **headers)
    if not mendable and draw(_SEEDS) == 1:
        return replace(found, video=None, audio=draw(one_of_these(None, audio)), streams=())
    return found


def windows() -> st.SearchStrategy[Window]:
    """Head, tail and spans; spans may be too long, empty or outside the clip."""
    ends = st.sampled_from([WindowKind.HEAD, WindowKind.TAIL]).map(lambda kind: Window(kind=kind))
    spans = st.builds(
        Window,
        kind=st.just(WindowKind.SPAN),
        start_s=st.sampled_from([Fraction(0), Fraction(1)]) | fractions(0, 20),
        end_s=st.none() | fractions(0, 40),
    )
    return ends | spans


POSSIBLE_RATIOS = ("adaptive", "16:9", "9:16", "1:1", "4:3", "21:9", "1001:563")
RATIOS = (*POSSIBLE_RATIOS, "5:1", "1:99999")


def intents(*, plain: bool = False) -> st.SearchStrategy[Intent]:
    """Everything a caller can ask for; *plain*: nothing but limits and mode."""
    usual: st.SearchStrategy[Intent] = st.builds(
        Intent,
        limits=st.sampled_from(list(Limits)),
        mode=st.sampled_from([None, Mode.EDIT, Mode.EXTEND, Mode.REFERENCE]),
    )
    if plain:
        return usual
    return usual | st.builds(
        Intent,
        limits=st.sampled_from(list(Limits)),
        mode=st.none() | st.sampled_from(list(Mode)),
        role=st.none() | st.sampled_from(list(Role)),
        ratio=st.just("adaptive") | st.sampled_from(RATIOS),
        fit=st.none() | st.sampled_from(list(Fit)),
        window=st.none() | windows(),
        short=st.sampled_from(list(Short)),
        audio=st.sampled_from(list(AudioChoice)),
        verify=st.sampled_from(list(VerifyLevel)),
    )


# --- profiles ------------------------------------------------------------------------------------

LOOSER: Mapping[str, tuple[object, ...]] = {
    "max_duration_s": (Fraction(16), Fraction(20), Fraction(10**6)),
    "min_duration_s": (Fraction(1), Fraction(0)),
    "min_area_px": (300_000, 1),
    "max_area_px": (1_000_000, 10**9),
    "min_side_px": (256, 1),
    "max_side_px": (8192, 10**6),
    "side_multiple": (1,),
    "min_aspect": (Fraction(1, 4), Fraction(1, 10_000)),
    "max_aspect": (Fraction(4), Fraction(10_000)),
    "min_rate": (Fraction(23), Fraction(10), Fraction(1)),
    "max_rate": (Fraction(61), Fraction(120), Fraction(1000)),
    "max_bytes": (60_000_000, 10**12),
    "containers": (frozenset({"mp4", "mov", "matroska", "mpegts"}),),
    "video_codecs": (frozenset({"h264", "hevc", "vp9", "av1"}),),
    "pixel_formats": (frozenset({"yuv420p", "yuvj420p", "yuv420p10le", "yuv444p"}),),
    "allow_private_metadata": (True,),
}
"""Wider values for single limits of every accept table."""

TIGHTER: Mapping[str, tuple[object, ...]] = {
    "max_duration_s": (Fraction(10), Fraction("7.5")),
    "min_duration_s": (Fraction(3),),
    "min_area_px": (500_000,),
    "max_area_px": (800_000,),
    "min_side_px": (320,),
    "max_side_px": (2000,),
    "side_multiple": (4, 16),
    "min_aspect": (Fraction(1, 2),),
    "max_aspect": (Fraction(2),),
    "min_rate": (Fraction(25), Fraction(30)),
    "max_rate": (Fraction(50), Fraction(30)),
    "max_bytes": (5_000_000,),
}
"""Narrower values for single limits."""

_RAISED = {
    *("min_duration_s", "min_area_px", "min_side_px", "min_aspect", "min_rate", "side_multiple"),
}
"""Limits that are narrower where they are higher."""


def loosened(profile: Profile, field: str, value: Any) -> Profile:  # noqa: ANN401 - any limit's
    """*profile* with one accept limit wider at every level, where it is not wider already."""
    wider: Callable[[Any, Any], Any] = min if field in _RAISED else max
    accepts = {}
    for level, accept in profile.accepts.items():
        old = getattr(accept, field)
        new = old | value if isinstance(old, frozenset) else wider(old, value)
        update = {field: new}
        if field == "containers":
            sounds = accept.audio_codecs
            update["audio_codecs"] = {name: sounds.get(name, sounds["mp4"]) for name in new}
        accepts[level] = replace(accept, **update)
    return replace(profile, accepts=accepts)


def tightened(profile: Profile, field: str, value: object, *, target_only: bool) -> Profile:
    """*profile* with one limit narrower in the target, and in every accept table unless told."""
    narrower: Callable[[Any, Any], Any] = max if field in _RAISED else min

    def move(table: B) -> B:
        return replace(table, **{field: narrower(getattr(table, field), value)})

    update: dict[str, Any] = {"target": move(profile.target)}
    if not target_only:
        update["accepts"] = {level: move(accept) for level, accept in profile.accepts.items()}
    return replace(profile, **update)


def _changed(values: Mapping[str, tuple[object, ...]]) -> st.SearchStrategy[tuple[str, object]]:
    pairs = [(field, value) for field, options in values.items() for value in options]
    return st.sampled_from(pairs)


LOOSER_LIMITS = _changed(LOOSER)
"""One limit and a wider value for it."""
_NARROWER_LIMITS = _changed(TIGHTER)


class MovedProfile(Profile):
    """A profile that is printed as its differences from the real one."""

    def __repr__(self) -> str:
        parts: list[tuple[str, VideoBounds, VideoBounds]] = [
            (str(level), accept, PROFILE.accept(level)) for level, accept in self.accepts.items()
        ]
        parts.append(("target", self.target, PROFILE.target))
        moved = [
            f"{name}.{field} = {value}"
            for name, new, old in parts
            for field, value in asdict(new).items()
            if value != getattr(old, field)
        ]
        return f"profile with {', '.join(moved) or 'nothing moved'}"


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """The real profile, or one with a few limits moved without contradiction."""
    profile: Profile = MovedProfile(
        **{field.name: getattr(PROFILE, field.name) for field in fields(PROFILE)}
    )
    for _ in range(draw(one_of_these(0, 1, 2))):
        wider, narrower = draw(one_of_these((True, False), (False, True), (False, False)))
        field, value = draw(LOOSER_LIMITS if wider else _NARROWER_LIMITS)
        if wider:
            profile = loosened(profile, field, value)
        else:
            profile = tightened(profile, field, value, target_only=narrower)
    return profile
