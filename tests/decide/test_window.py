"""Which pictures are taken, and where a copy may begin and end."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given

from preprocess.facts import AudioTrack, EditShape, Facts, PictureTable, Span, SyncKind
from preprocess.geometry import Size
from preprocess.intent import Intent, Limits, Mode, Short, Window, WindowKind, parse_window
from preprocess.plan import ClipPlan, Route, ShortAction
from preprocess.planner import decide
from tests.decide.clips import (
    NTSC_24,
    PROFILE,
    Gop,
    Shape,
    audio_of,
    clip,
    closed,
    facts_of,
    gops_of,
    length_s,
    opened,
    part_of,
    rules,
    table_of,
    video_of,
)
from tests.decide.searching import widely
from tests.strategies import Clip, clips, intents, jitter

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD, TAIL = Intent(), Intent(mode=Mode.EXTEND)


def plan_of(found: Facts, intent: Intent = HEAD) -> ClipPlan:
    decision = decide(found, PROFILE, intent)
    assert isinstance(decision, ClipPlan), rules(decision)
    return decision


def plan_gops(gops: Sequence[Gop], intent: Intent = HEAD, rate: Fraction | int = 30) -> ClipPlan:
    table = table_of(gops, rate)
    return plan_of(facts_of(video_of(table), audio_of(length_s(table))), intent)


def span(start: str | int, end: str | int | None = None) -> Intent:
    end_s = None if end is None else Fraction(end)
    return Intent(window=Window(kind=WindowKind.SPAN, start_s=Fraction(start), end_s=end_s))


# --- said by a person ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("5..10", 5, 10),
        ("0.5..2.25", Fraction(1, 2), Fraction(9, 4)),
        ("1:02..1:12.5", 62, Fraction(145, 2)),
        ("1:02:03.5..1:02:10", Fraction(7447, 2), 3730),
        ("..8", 0, 8),
        ("90..", 90, None),
    ],
)
def test_a_span_is_read_as_seconds_or_clock(
    text: str, start: Fraction | int, end: Fraction | int | None
) -> None:
    window = parse_window(text)

    assert window.kind is WindowKind.SPAN
    assert (window.start_s, window.end_s) == (start, end)


def test_head_and_tail_are_windows() -> None:
    assert parse_window("head") == Window(kind=WindowKind.HEAD)
    assert parse_window("tail") == Window(kind=WindowKind.TAIL)


@pytest.mark.parametrize(
    "text",
    ["", "..", "5", "5..5", "9..3", "..0", "-1..3", "1e3..", "a..b", "1:2:3:4..", "5...6", "HEAD"],
)
def test_anything_else_is_no_window(text: str) -> None:
    with pytest.raises(ValueError, match=r"window|time"):
        parse_window(text)


@pytest.mark.parametrize("text", ["head", "tail", "5..10", "0.5..", "0..8"])
def test_a_window_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_window(text)) == text


@pytest.mark.parametrize("ratio", ["16/9", "16:0", "0:9", "1.5:1", "wide", "", "-1:2", "100000:1"])
def test_a_ratio_is_two_positive_whole_numbers(ratio: str) -> None:
    with pytest.raises(ValueError, match="16:9"):
        _ = Intent(ratio=ratio).wanted_aspect


def test_extend_takes_the_tail_and_everything_else_the_head() -> None:
    """The continuation starts where the clip ends."""
    kinds = {mode: Intent(mode=mode).wanted_window.kind for mode in (None, *Mode)}

    assert kinds.pop(Mode.EXTEND) is WindowKind.TAIL
    assert set(kinds.values()) == {WindowKind.HEAD}
    assert (
        Intent(mode=Mode.EXTEND, window=parse_window("head")).wanted_window.kind is WindowKind.HEAD
    )


# --- head ----------------------------------------------------------------------------------------


def test_the_head_of_a_long_clip_is_cut_at_the_cap() -> None:
    plan = plan_of(clip(20, gop=closed(30, 0)))

    assert plan.route is Route.CUT
    assert rules(plan) == {"video.duration"}
    assert (plan.start_s, plan.expected.frames, plan.expected.duration_s) == (0, 450, 15)
    assert plan.slice is not None
    assert plan.slice.pts == tuple(range(450))


def test_a_cut_ends_at_the_last_clean_boundary_under_the_cap() -> None:
    """`ffmpeg -c copy -t 15` writes 452 pictures of such a stream."""
    plan = plan_of(clip(20, gop=Gop(Shape.PYRAMID, 250, 3)))

    assert plan.route is Route.CUT
    assert plan.expected.frames == 447
    assert plan.source_pts == tuple(range(447))


@pytest.mark.parametrize(("kept", "route"), [(435, Route.CUT), (434, Route.ENCODE)])
def test_a_cut_may_give_up_half_a_second_and_not_a_picture_more(kept: int, route: Route) -> None:
    """The key picture at *kept* - 1 is clean; the B pictures after it reach past the cap."""
    plan = plan_gops([closed(kept - 1, 0), closed(100, 60)])

    assert plan.route is route
    assert plan.expected.frames == (kept if route is Route.CUT else 450)


def test_an_open_gop_is_cut_only_where_nothing_shown_earlier_follows() -> None:
    plan = plan_gops([closed(449, 0), *gops_of(opened(50, 2), 151)])

    assert plan.route is Route.CUT
    assert plan.expected.frames == 449


def test_fifteen_seconds_are_not_too_long_and_one_picture_more_is() -> None:
    assert plan_of(clip(15)).route is Route.KEEP
    plan = plan_gops([closed(451, 0)])
    assert (plan.route, plan.expected.frames) == (Route.CUT, 450)


def test_film_is_retimed_to_24_and_fills_fifteen_seconds() -> None:
    """24000/1001 is formally under the floor; 360 pictures of 15.015 s become 15 s."""
    long, short = (plan_of(clip(seconds, NTSC_24, closed(24, 0))) for seconds in (20, 10))

    assert (long.route, long.retimed, long.expected.frame_rate) == (Route.CUT, True, 24)
    assert (long.expected.frames, long.expected.duration_s) == (360, 15)
    assert long.expected.max_duration_s == 15
    assert (short.route, short.retimed, short.expected.frames) == (Route.REWRAP, True, 240)
    assert short.expected.duration_s == 10
    assert rules(short) == {"video.frame_rate"}


@pytest.mark.parametrize(
    ("rate", "pictures", "frames", "becomes", "repeat", "pick_every"),
    [
        (Fraction(10), 150, 450, 30, 3, 1),
        (Fraction(15), 225, 450, 30, 2, 1),
        (NTSC_24 / 2, 180, 360, 24, 2, 1),
        (Fraction(120), 1800, 900, 60, 1, 2),
        (Fraction(240), 3600, 900, 60, 1, 4),
        (Fraction(61), 914, 457, Fraction(61, 2), 1, 2),
    ],
)
def test_slow_and_fast_clips_are_repeated_and_thinned_evenly(
    rate: Fraction, pictures: int, frames: int, becomes: int, repeat: int, pick_every: int
) -> None:
    plan = plan_of(clip(18, rate))

    assert plan.route is Route.ENCODE
    assert plan.encoding is not None
    assert (len(plan.source_pts), plan.expected.frames) == (pictures, frames)
    assert plan.encoding.frame_rate == plan.expected.frame_rate == becomes
    assert set(plan.encoding.writes[::pick_every]) == {repeat}
    assert sum(plan.encoding.writes) == frames


def test_an_accepted_rate_is_not_moved_to_a_nicer_one() -> None:
    """30.02 fps, exactly kept, is 5 ms off the grid of 30 after 15 s, and fine as it is."""
    plan = plan_of(clip(15, Fraction("30.02"), closed(30, 0)))

    assert plan.route is Route.KEEP
    assert plan.expected.frame_rate == Fraction("30.02")


def late(by_s: str, *, last: int | None = None, pictures: int = 300) -> Facts:
    """30 fps in microseconds with one picture late."""
    moved = [Fraction(0)] * pictures
    moved[100] = Fraction(by_s)
    table = table_of([closed(pictures, 0)], time_base=Fraction(1, 1_000_000), moved_s=moved)
    if last is not None:
        table = replace(table, last_duration=last)
    return facts_of(video_of(table))


def test_time_stamps_are_rewritten_from_two_milliseconds_off() -> None:
    kept, rewritten = plan_of(late("0.004")), plan_of(late("0.0041"))

    assert kept.route is Route.KEEP
    assert (rewritten.route, rules(rewritten)) == (Route.REWRAP, {"video.timestamps"})
    assert rewritten.expected.frame_rate == 30
    assert not rewritten.retimed


def test_pictures_too_far_off_their_grid_are_a_variable_rate() -> None:
    assert plan_of(late("0.019")).route is Route.REWRAP
    assert rules(decide(late("0.0201"), PROFILE, HEAD)) == {"video.variable_rate"}


def test_what_is_uneven_outside_the_window_does_not_matter() -> None:
    moved = [Fraction(0)] * 455 + [Fraction(1)] * 145
    table = table_of([closed(600, 0)], time_base=Fraction(1, 90_000), moved_s=moved)
    found = facts_of(video_of(table))

    assert (plan_of(found).route, plan_of(found).expected.frames) == (Route.CUT, 450)
    assert rules(plan_of(found, TAIL)) == {"video.duration", "video.variable_rate"}


def gapped(still_s: int, sound: AudioTrack | None = None) -> Facts:
    """6 s of pictures, a pause after the first three."""
    late = [Fraction(0)] * 90 + [Fraction(still_s)] * 90
    table = table_of([closed(180, 0)], time_base=Fraction(1, 90_000), moved_s=late)
    return facts_of(video_of(table), sound)


@pytest.mark.parametrize(
    ("heard", "shown"),
    [
        ([(0, 17)], True),
        ([("-0.02", "13.95")], True),
        ([(0, 8), ("8.05", 17)], True),
        ([(0, 3), (14, 17)], False),
        ([(0, 8), ("8.2", 17)], False),
        ([(0, "13.8")], False),
    ],
)
def test_a_pause_through_which_sound_runs_is_no_hole(
    heard: list[tuple[str, str]], *, shown: bool
) -> None:
    """Recordings of a screen that stands still, while somebody speaks."""
    spans = tuple(Span(start_s=Fraction(a), end_s=Fraction(b)) for a, b in heard)
    decision = decide(gapped(11, audio_of(17, spans=spans)), PROFILE, HEAD)

    assert isinstance(decision, ClipPlan) == shown
    assert ("video.gap" in rules(decision)) != shown
    if isinstance(decision, ClipPlan):
        assert max(decision.encoding.writes if decision.encoding else ()) == 331


def test_a_pause_is_shown_and_a_hole_in_the_recording_is_refused() -> None:
    pause, hole = decide(gapped(8), PROFILE, HEAD), decide(gapped(11), PROFILE, HEAD)

    assert isinstance(pause, ClipPlan)
    assert rules(pause) == {"video.variable_rate"}
    assert max(pause.encoding.writes if pause.encoding else ()) == 241
    assert rules(hole) == {"video.gap"}
    reason = hole.reasons[0]
    assert reason.measured == "no picture for 11.033 s"
    assert reason.value == pytest.approx(11.033333)


def test_a_window_without_the_hole_is_taken() -> None:
    assert rules(plan_of(gapped(60), span(0, 3))) == {"video.window"}
    assert rules(plan_of(gapped(60), span("63.1", 66))) >= {"video.window"}


def test_a_window_that_begins_in_a_pause_begins_with_its_picture() -> None:
    plan = plan_of(gapped(8), span(5, 13))

    assert plan.start_s == pytest.approx(5, abs=1 / 30)
    assert plan.expected.frames == 240
    assert plan.encoding is not None
    assert plan.encoding.writes[0] == pytest.approx(180, abs=2)


def test_a_clip_that_its_grid_makes_too_long_is_cut() -> None:
    """901 pictures at 60.07 fps last 15.0 s, and 15.017 s once they are 1/60 s apart."""
    tick = Fraction(1, 90_000)
    table = table_of([closed(901, 0)], Fraction("60.07"), time_base=tick)
    found = facts_of(video_of(table))
    plan = plan_of(found)

    assert length_s(table) < 15
    assert (plan.route, plan.expected.frames, plan.expected.duration_s) == (Route.CUT, 900, 15)
    assert rules(plan) == {"video.timestamps", "video.boundary"}


def test_a_last_picture_of_no_length_does_not_smuggle_one_over_the_cap() -> None:
    """451 pictures last 15 s where the last one lasts nothing: kept, but not written like that."""
    table = replace(table_of([closed(451, 0)], time_base=Fraction(1, 600)), last_duration=0)
    found = facts_of(video_of(table))

    assert plan_of(found).route is Route.KEEP
    copied = plan_of(replace(found, container="matroska"))
    assert (copied.route, copied.expected.frames) == (Route.CUT, 450)


def test_a_long_last_picture_does_not_widen_a_window() -> None:
    """Some writers let the last picture of a constant clip stay for a second or a minute."""
    table = table_of([closed(600, 0)], time_base=Fraction(1, 600))
    tail = plan_of(facts_of(video_of(replace(table, last_duration=600))), TAIL)
    part = plan_of(facts_of(video_of(replace(table, last_duration=60_000))), span(5, 10))

    assert (tail.expected.frames, tail.start_s) == (450, 5)
    assert (part.expected.frames, part.start_s) == (150, 5)


# --- tail ----------------------------------------------------------------------------------------


def test_a_tail_ends_where_the_clip_ends() -> None:
    plan = plan_of(clip(20, gop=closed(30, 0)), TAIL)

    assert (plan.route, plan.start_s, plan.expected.frames) == (Route.CUT, 5, 450)
    assert plan.slice is not None
    assert plan.slice.pts == tuple(range(150, 600))


@pytest.mark.parametrize(("late", "route"), [(30, Route.CUT), (31, Route.ENCODE)])
def test_a_tail_may_start_a_second_late_and_not_a_picture_more(late: int, route: Route) -> None:
    plan = plan_gops([closed(150 + late, 2), closed(450 - late, 2)], TAIL)

    assert plan.route is route
    assert plan.start_s == (5 + Fraction(late, 30) if route is Route.CUT else 5)
    assert plan.source_pts[-1] == 599


def test_a_tail_starts_at_a_safe_key_picture_not_before_the_wanted_start() -> None:
    plan = plan_gops([closed(149, 2), closed(6, 2), closed(445, 2)], TAIL)

    assert (plan.route, plan.expected.frames) == (Route.CUT, 445)
    assert plan.start_s == Fraction(155, 30)


@pytest.mark.parametrize("kind", [SyncKind.OTHER, SyncKind.UNSEEN])
def test_a_key_picture_that_promises_nothing_is_no_start(kind: SyncKind) -> None:
    first = plan_of(replace(clip(10, gop=closed(30, 2, kind)), container="matroska"))
    tail = plan_gops([closed(150), *gops_of(closed(30, 2, kind), 450)], TAIL)

    assert (first.route, tail.route) == (Route.ENCODE, Route.ENCODE)
    assert rules(first) == {"file.container", "video.boundary"}
    assert plan_of(clip(10, gop=closed(30, 2, kind))).route is Route.KEEP


def test_leading_pictures_of_a_cra_are_left_out() -> None:
    """They refer to the GOP before, which is not copied."""
    plan = plan_gops([closed(148, 2), *gops_of(opened(452, 2), 452)], TAIL)

    assert plan.route is Route.CUT
    assert plan.slice is not None
    assert (plan.slice.first_pts, plan.slice.skipped_leading) == (150, 2)
    assert {148, 149}.isdisjoint(plan.slice.pts)
    assert sorted(plan.slice.pts) == list(range(150, 600))


def test_leading_pictures_before_the_first_shown_one_are_not_counted() -> None:
    """A recording from mid-stream: nobody can decode what comes before its key picture."""
    table = replace(table_of(gops_of(opened(12, 2), 120)), origin_pts=2)
    plan = plan_of(facts_of(video_of(table), container="mpegts"))

    assert plan.source_pts == tuple(range(2, 120))
    assert (plan.route, plan.start_s) == (Route.REWRAP, 0)
    assert plan.slice is not None
    assert plan.slice.skipped_leading == 2


def test_a_tail_longer_than_the_target_but_accepted_keeps_its_end_when_encoded() -> None:
    """`trusted` takes 15.2 s; an encode has 15 s, and the continuation starts at the end."""
    found = clip(Fraction("15.1"), coded=Size(1920, 1080), codec="vp9")
    tail = plan_of(found, Intent(mode=Mode.EXTEND, limits=Limits.TRUSTED))
    head = plan_of(found, Intent(limits=Limits.TRUSTED))

    assert rules(tail) == {"video.codec"}
    assert (tail.source_pts[0], tail.source_pts[-1], tail.expected.frames) == (3, 452, 450)
    assert (head.source_pts[0], head.source_pts[-1]) == (0, 449)


# --- spans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "first", "frames"),
    [
        (5, 10, 150, 150),
        (0, 15, 0, 450),
        ("5.016", "10.016", 150, 150),
        ("5.017", "10.017", 151, 150),
        (5, None, 150, 450),
        (18, None, 540, 60),
        (0, None, 0, 450),
    ],
)
def test_a_span_takes_the_pictures_nearest_to_its_ends(
    start: str | int, end: str | int | None, first: int, frames: int
) -> None:
    plan = plan_of(clip(20, gop=closed(1, 0)), span(start, end))

    assert (plan.route, plan.expected.frames) == (Route.CUT, frames)
    assert plan.source_pts[0] == first
    assert plan.start_s == Fraction(first, 30)
    assert rules(plan) == {"video.window"}


def test_a_span_is_encoded_unless_it_starts_at_a_safe_key_picture() -> None:
    found = clip(20, gop=closed(30, 0))

    assert plan_of(found, span(5, 10)).route is Route.CUT
    assert plan_of(found, span("5.5", 10)).route is Route.ENCODE


def test_a_span_counts_from_the_first_shown_picture() -> None:
    table = table_of([closed(1, 0)] * 300, first_pts=1000)
    plan = plan_of(facts_of(video_of(table)), span(2, 5))

    assert (plan.source_pts[0], plan.start_s) == (1060, 2)


def test_a_span_over_all_of_a_clip_is_no_reason_to_touch_it() -> None:
    assert plan_of(clip(10), span(0, 10)).route is Route.KEEP
    assert plan_of(clip(10), span(0)).route is Route.KEEP


def test_a_span_over_all_of_the_picture_does_not_hide_that_the_sound_is_too_long() -> None:
    found = clip(10)
    assert found.video is not None
    long = facts_of(found.video, audio_of(20))

    for intent in (HEAD, TAIL, span(0), span(0, 10)):
        plan = plan_of(long, intent)
        assert (plan.route, rules(plan)) == (Route.CUT, {"video.duration", "audio.length"})
        assert plan.expected.frames == 300


@pytest.mark.parametrize(
    ("start", "end", "objection"),
    [
        (0, "15.001", "window.duration"),
        (100, 110, "window.start"),
        (20, None, "window.start"),
        (8, 3, "window.start"),
        (5, "5.5", "video.short"),
    ],
)
def test_a_span_that_cannot_be_is_rejected(
    start: str | int, end: str | int | None, objection: str
) -> None:
    assert rules(decide(clip(20), PROFILE, span(start, end))) == {objection}


# --- what cannot be copied -----------------------------------------------------------------------


def wrapped(table: PictureTable, edit: EditShape = EditShape.NONE) -> Facts:
    """In Matroska, so that something has to be done."""
    return facts_of(video_of(table, edit=edit), container="matroska")


def test_hidden_pictures_are_copied_around_where_key_pictures_allow_it() -> None:
    table = table_of(gops_of(closed(30, 0), 300))
    start = replace(table, shown_from=30, origin_pts=30)
    plan = plan_of(wrapped(start, EditShape.TRIMS))

    assert (plan.route, plan.expected.frames, plan.start_s) == (Route.REWRAP, 270, 0)
    assert plan.slice is not None
    assert plan.slice.first_pts == 30
    off = replace(table, shown_from=31, origin_pts=31)
    assert plan_of(wrapped(off, EditShape.TRIMS)).route is Route.ENCODE


def test_hidden_pictures_at_the_end_are_left_out_at_a_clean_boundary() -> None:
    table = table_of([closed(300, 2)])
    clean = plan_of(wrapped(replace(table, shown_until=271), EditShape.TRIMS))
    unclean = plan_of(wrapped(replace(table, shown_until=270), EditShape.TRIMS))

    assert (clean.route, clean.expected.frames) == (Route.REWRAP, 271)
    assert (unclean.route, unclean.expected.frames) == (Route.ENCODE, 270)
    assert "video.boundary" in rules(unclean)


def test_time_stamps_that_are_not_stored_prove_no_boundary() -> None:
    """AVI has decode times only."""
    plan = plan_of(wrapped(table_of([closed(300, 0)], exact_pts=False)))

    assert (plan.route, plan.exact_pts) == (Route.ENCODE, False)


def test_pictures_that_share_a_time_stamp_are_never_copied() -> None:
    table = table_of([closed(300, 0)])
    doubled = replace(
        table, pts=(*table.pts[:50], table.pts[49], *table.pts[50:]), sizes=(4000,) * 301
    )
    plan = plan_of(facts_of(video_of(doubled)))

    assert (plan.route, rules(plan)) == (Route.ENCODE, {"video.timestamps"})
    assert plan.source_pts == tuple(range(300))


def test_one_picture_is_held() -> None:
    table = table_of([closed(1)])
    plan = plan_of(facts_of(video_of(table)), Intent(short=Short.HOLD))

    assert (plan.route, plan.short) == (Route.ENCODE, ShortAction.HOLD)
    assert (plan.expected.frames, plan.expected.frame_rate) == (48, 24)


@pytest.mark.parametrize(
    ("said", "rate"), [("25", 25), ("90000", 24), ("0", 24), ("60", 60), ("23.976", 24)]
)
def test_the_rate_of_one_picture_is_that_of_its_header_if_it_is_sane(said: str, rate: int) -> None:
    video = video_of(table_of([closed(1)]), frame_rate_from_header=Fraction(said))

    assert plan_of(facts_of(video), Intent(short=Short.LOOP)).expected.frame_rate == rate


# --- what a probe sees of a long clip ------------------------------------------------------------


def test_the_part_that_a_probe_sees_is_planned_like_the_whole() -> None:
    gops = gops_of(Gop(Shape.PYRAMID, 250, 3), 9000)
    table = table_of(gops)
    length = Fraction(300)
    video = video_of(table, duration_s=length, media_duration_s=length)
    head = replace(video, table=part_of(table, 0, 520))
    tail = replace(video, table=part_of(table, 8500, 9000))

    assert plan_of(facts_of(head)).slice == plan_of(facts_of(video)).slice
    assert plan_of(facts_of(tail), TAIL).slice == plan_of(facts_of(video), TAIL).slice


def test_holes_at_the_ends_of_what_a_probe_sees_are_not_a_variable_rate() -> None:
    """The last packets read lack the B pictures between them."""
    table = part_of(table_of([Gop(Shape.PYRAMID, 2000, 7)]), 0, 458)
    video = video_of(table, duration_s=Fraction(2000, 30), media_duration_s=Fraction(2000, 30))

    assert plan_of(facts_of(video)).expected.frames == 449


@widely(300)
@given(clips(0, 1, 2), intents(plain=True))
def test_a_copy_ends_at_a_clean_boundary_of_the_whole_stream(drawn: Clip, intent: Intent) -> None:
    """Whatever part of it was looked at, as long as it reaches past the window."""
    whole, table = drawn.whole, drawn.table
    known = {"duration_s": drawn.length_s, "media_duration_s": drawn.media_s}
    decision = decide(facts_of(video_of(table, **known), container="matroska"), PROFILE, intent)
    assume(isinstance(decision, ClipPlan))
    assert isinstance(decision, ClipPlan)
    assume(decision.slice is not None)
    assert decision.slice is not None
    copied = set(decision.slice.pts)
    end = max(n for n, pts in enumerate(whole.pts) if pts in copied)
    later = whole.pts[end + 1 :]

    assert all(pts > max(copied) for pts in later)
    assert decision.slice.first_pts == min(copied)
    shown = {pts for pts in whole.pts if whole.is_shown(pts) and min(copied) <= pts <= max(copied)}
    assert copied == shown
    sync = next(s for s in whole.sync if whole.pts[s.index] == decision.slice.first_pts)
    assert sync.kind in (SyncKind.IDR, SyncKind.CRA)


def test_jitter_of_a_phone_is_no_variable_rate_even_in_a_short_clip() -> None:
    tick = Fraction(1, 90_000)
    for seed in range(20):
        moved = jitter(Fraction("0.008"), 61, seed)
        table = table_of([closed(61, 0)], time_base=tick, moved_s=moved)
        video = video_of(replace(table, origin_pts=min(table.pts)))
        assert plan_of(facts_of(video)).expected.frame_rate in (30, Fraction(30_000, 1001))
