"""What holds for every decision, whatever file, profile and wish (design, section 5)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from preprocess import wire
from preprocess.facts import Facts, IndexPlace, Kind
from preprocess.geometry import Size
from preprocess.intent import Intent, Limits, Window, WindowKind
from preprocess.plan import AudioAction, ClipPlan, Plan, Rejection, Route
from preprocess.planner import decide
from preprocess.report import decision_data, facts_data
from preprocess.verify import check_result
from tests.decide import oracle
from tests.decide.clips import PROFILE, clip, rules
from tests.decide.results import facts_after, measured
from tests.decide.searching import widely
from tests.strategies import LOOSER_LIMITS, facts, intents, loosened, profiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from preprocess.profiles.model import AcceptVideo, Profile, TargetVideo

MENDABLE = facts(mendable=True)
# A failed case shows all its pictures, shrunk or not.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


def planned(found: Facts, profile: Profile, intent: Intent) -> ClipPlan:
    """The plan, where there is one."""
    decision = decide(found, profile, intent)
    assume(isinstance(decision, ClipPlan))
    assert isinstance(decision, ClipPlan)
    return decision


def is_whole(found: Facts) -> bool:
    table = found.video.table if found.video else None
    return table is not None and table.at_start and table.at_end


# --- 1: keep is inside accept, every other plan leads inside -------------------------------------


@widely(80)
@given(MENDABLE, profiles(), intents())
def test_a_kept_file_is_inside_everything_the_profile_accepts(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    plan = planned(found, profile, intent)
    assume(plan.route is Route.KEEP)
    assert found.video is not None
    accept = profile.accept(intent.limits)
    table, rate = found.video.table, plan.expected.frame_rate
    shown = sorted(pts for pts in table.pts if table.is_shown(pts))
    longest = oracle.longest_s(found.video, found.audio)

    assert found.container in accept.containers
    assert found.size_bytes <= accept.max_bytes
    assert oracle.pixel_faults(found, profile, intent) == set()
    assert found.video.dynamic.value == "sdr"
    assert not found.video.interlaced
    assert longest is not None
    assert longest <= accept.max_duration_s
    assert accept.min_rate <= rate <= accept.max_rate
    assert oracle.off_grid_s(shown, table.time_base, rate) <= oracle.CONSTANT_S
    assert len(shown) / rate >= accept.min_duration_s
    assert found.audio is None or oracle.is_heard(found, intent)
    if is_whole(found):
        taken = oracle.taken(found, profile, intent)
        assert oracle.wrap_faults(found, profile, intent, taken) == set()


@widely(150)
@given(MENDABLE, profiles(), intents())
def test_what_a_plan_expects_is_inside_the_target_where_it_changes_and_accepted_elsewhere(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    plan = planned(found, profile, intent)
    assume(plan.route is not Route.KEEP)
    assert found.video is not None
    expected, video = plan.expected, found.video
    accept, target = profile.accept(intent.limits), profile.target
    size = Size(expected.width_px, expected.height_px)
    encoded = plan.route is Route.ENCODE
    bounds: AcceptVideo | TargetVideo = target if encoded else accept

    assert expected.container == target.container
    assert bounds.size_limits.allow(size)
    assert encoded or size == video.displayed
    assert expected.video_codec == (target.video_codec if encoded else video.codec)
    assert expected.pixel_format == (target.pixel_format if encoded else video.pixel_format)
    assert accept.min_rate <= expected.frame_rate <= accept.max_rate
    assert expected.max_bytes <= bounds.max_bytes
    assert expected.max_bytes <= target.max_bytes or found.size_bytes <= accept.max_bytes
    assert expected.duration_s >= accept.min_duration_s
    if plan.audio.action is AudioAction.ENCODE:
        assert expected.audio_codec == target.audio_codec
        assert plan.audio.sample_rate_hz in target.audio_sample_rates_hz
        assert 1 <= (plan.audio.channels or 0) <= target.max_audio_channels
    elif plan.audio.action is AudioAction.COPY:
        assert expected.audio_codec in accept.audio_codecs[target.container]
    else:
        assert expected.audio_codec is None


@widely(100)
@given(MENDABLE, profiles(), intents())
def test_pixels_are_read_only_where_they_are_written(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    plan = planned(found, profile, intent)

    assert (plan.encoding is not None) == (plan.route is Route.ENCODE)
    assert (plan.slice is not None) == (plan.route in (Route.REWRAP, Route.CUT))
    assert found.video is not None
    shown = {pts for pts in found.video.table.pts if found.video.table.is_shown(pts)}
    assert list(plan.source_pts) == sorted(set(plan.source_pts))
    assert set(plan.source_pts) <= shown


# --- 2: fixed point ------------------------------------------------------------------------------


@widely(250)
@given(MENDABLE, profiles(), intents())
def test_a_perfect_result_is_kept_when_it_comes_back(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    """Preparing does the same test on what it really wrote (the check called ``accepted``)."""
    plan = planned(found, profile, intent)
    again = decide(facts_after(plan, found), profile, replace(intent, window=None))

    assert rules(again) == set()
    assert isinstance(again, ClipPlan)
    assert again.route is Route.KEEP


@widely(150)
@given(MENDABLE, profiles(), intents())
def test_a_perfect_result_passes_every_check(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    plan = planned(found, profile, intent)
    assume(plan.route is not Route.KEEP)

    assert [check for check in check_result(plan, *measured(plan, found)) if not check.ok] == []


# --- 3: wider limits ----------------------------------------------------------------------------


@widely(250)
@given(MENDABLE, profiles(), intents(), LOOSER_LIMITS)
def test_a_wider_limit_never_adds_a_reason_or_a_costlier_route(
    found: Facts, profile: Profile, intent: Intent, limit: tuple[str, object]
) -> None:
    """Of one window: a longer cap may take in pictures that are trouble."""
    wider = loosened(profile, *limit)
    level = intent.limits
    assume(is_window_the_same(found, profile, profile.accept(level), wider.accept(level)))

    assert_no_worse(decide(found, profile, intent), decide(found, wider, intent))


@widely(150)
@given(MENDABLE, profiles(), intents())
def test_a_wider_level_of_limits_never_adds_a_reason_or_a_costlier_route(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    for before, after in pairwise(Limits):
        if is_window_the_same(found, profile, profile.accept(before), profile.accept(after)):
            narrow = decide(found, profile, replace(intent, limits=before))
            assert_no_worse(narrow, decide(found, profile, replace(intent, limits=after)))


def is_window_the_same(
    found: Facts, profile: Profile, before: AcceptVideo, after: AcceptVideo
) -> bool:
    """Whether both take the same part; a picture under the target's cap is taken whole."""
    if found.video is None or before.max_duration_s == after.max_duration_s:
        return True
    if oracle.is_too_long(found, before) == oracle.is_too_long(found, after):
        return True
    lengths = (found.video.duration_s, found.video.media_duration_s)
    return None not in lengths and max(filter(None, lengths), default=0) <= (
        profile.target.max_duration_s
    )


def assert_no_worse(before: Plan | Rejection, after: Plan | Rejection) -> None:
    if isinstance(before, Rejection):
        # Of a rejection only the objections are told, of a plan everything.
        assert isinstance(after, ClipPlan) or rules(after) <= rules(before)
        return
    assert isinstance(after, ClipPlan)
    assert after.route <= before.route
    # Why packets cannot be copied is asked only where nothing else needs an encode.
    assert rules(after) - {"video.boundary"} <= rules(before)


# --- 4: the cheapest sufficient route ------------------------------------------------------------


@widely(400)
@given(MENDABLE, profiles(), intents())
def test_the_route_is_the_cheapest_one_that_is_enough(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    """Held against a plain restatement of the design that shares no code with the planner."""
    assume(is_whole(found))
    plan = planned(found, profile, intent)

    assert plan.route is oracle.cheapest_route(found, profile, intent)


@widely(100)
@given(MENDABLE, profiles(), intents())
def test_every_costlier_route_can_still_be_planned(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    """What fails its verification falls to the next route."""
    plan = planned(found, profile, intent)
    for at_least in Route:
        decision = decide(found, profile, intent, at_least=at_least)
        if isinstance(decision, Rejection):
            assert at_least > plan.route
            assert rules(decision) == {"video.size"}
            continue
        assert isinstance(decision, ClipPlan)
        assert decision.route >= max(at_least, plan.route)
        if plan.expected.duration_s <= profile.target.max_duration_s:
            assert decision.source_pts == plan.source_pts or decision.route is not plan.route
            lost = set(plan.source_pts) - set(decision.source_pts)
            assert len(lost) / plan.expected.frame_rate <= profile.tolerances.tail_tolerance_s


# --- 5: rejections -------------------------------------------------------------------------------


@widely(300)
@given(facts(), profiles(), intents(), st.sampled_from(list(Route)))
def test_a_decision_is_reached_whatever_the_facts_are(
    found: Facts, profile: Profile, intent: Intent, at_least: Route
) -> None:
    decision = decide(found, profile, intent, at_least=at_least)

    assert isinstance(decision, Rejection) == (not isinstance(decision, ClipPlan))
    assert decision.reasons or (isinstance(decision, ClipPlan) and decision.route <= at_least)
    assert len(set(decision.reasons)) == len(decision.reasons)
    for reason in decision.reasons:
        assert reason.rule.count(".") == 1
        assert reason.limit
        assert reason.fix


@widely(80)
@given(facts(), profiles(), intents())
def test_facts_and_decisions_are_plain_json_and_come_back_from_it(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    decision = decide(found, profile, intent)

    for data in (facts_data(found), decision_data(decision), wire.dump(found)):
        assert json.loads(json.dumps(data, allow_nan=False)) is not None
    assert wire.load(Facts, wire.dump(found)) == found
    assert wire.load(type(decision), wire.dump(decision)) == decision


EMPTY = Facts(kind=Kind.OTHER, container=None, description="empty", size_bytes=0, supported=False)
NOTHING_SHOWN = clip(4)
assert NOTHING_SHOWN.video is not None
NOTHING_SHOWN = replace(
    NOTHING_SHOWN,
    video=replace(NOTHING_SHOWN.video, table=replace(NOTHING_SHOWN.video.table, shown_until=0)),
)


@pytest.mark.parametrize(
    ("found", "objection"),
    [
        (EMPTY, "input.empty"),
        (replace(EMPTY, size_bytes=9), "input.unsupported"),
        (replace(EMPTY, size_bytes=9, fault="input.never_heard_of"), "input.never_heard_of"),
        (replace(EMPTY, size_bytes=9, kind=Kind.AUDIO, supported=True), "input.audio_only"),
        (replace(EMPTY, size_bytes=9, kind=Kind.IMAGE, supported=True), "input.image"),
        (NOTHING_SHOWN, "input.no_picture"),
        (clip(4, coded=Size(0, 0)), "video.size"),
        (clip(4, coded=Size(1920, 0)), "video.size"),
        (clip(4, orientation=None), "video.rotation"),
        (clip(4, readable_frames=7), "input.truncated"),
        (clip(1), "video.short"),
    ],
)
def test_what_cannot_be_used_is_named(found: Facts, objection: str) -> None:
    decision = decide(found, PROFILE, Intent())

    assert isinstance(decision, Rejection)
    assert rules(decision) == {objection}


_HOPELESS: Mapping[str, Mapping[str, Any]] = {
    "input.encrypted": {"encrypted": True},
    "input.truncated": {"readable_frames": 3},
    "video.undecodable": {"decodable": False},
    "video.rotation": {"orientation": None},
    "video.size": {"coded": Size(0, 0)},
    "video.short": {"seconds": Fraction(1)},
    "window.start": {"window": (100, None)},
    "window.duration": {"window": (0, 30)},
}


@pytest.mark.parametrize(
    "pair",
    [
        pair
        for pair in combinations(_HOPELESS, 2)
        # What lies outside the clip has no length.
        if set(pair) not in ({"window.start", "video.short"}, {"window.start", "window.duration"})
    ],
    ids=" and ".join,
)
def test_a_rejection_lists_both_of_two_objections(pair: tuple[str, str]) -> None:
    options: dict[str, Any] = {**_HOPELESS[pair[0]], **_HOPELESS[pair[1]]}
    encrypted = options.pop("encrypted", False)
    seconds = options.pop("seconds", Fraction(10))
    window = None
    if "window" in options:
        start, end = options.pop("window")
        window = Window(kind=WindowKind.SPAN, start_s=Fraction(start), end_s=end and Fraction(end))
    found = replace(clip(seconds, **options), encrypted=encrypted)

    decision = decide(found, PROFILE, Intent(window=window))

    assert isinstance(decision, Rejection)
    assert rules(decision) == set(pair)


def test_a_window_too_long_and_outside_the_clip_is_told_both() -> None:
    window = Window(kind=WindowKind.SPAN, start_s=Fraction(100), end_s=Fraction(130))

    assert rules(decide(clip(10), PROFILE, Intent(window=window))) == {
        "window.duration",
        "window.start",
    }


# --- 7: the cap ----------------------------------------------------------------------------------


@widely(200)
@given(MENDABLE, profiles(), intents())
def test_nothing_that_is_written_is_longer_than_the_cap(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    plan = planned(found, profile, intent)
    assume(plan.route is not Route.KEEP)
    expected = plan.expected
    accept = profile.accept(intent.limits)

    assert expected.duration_s == expected.frames / expected.frame_rate
    assert expected.duration_s <= expected.max_duration_s <= accept.max_duration_s
    if plan.route is not Route.REWRAP:
        assert expected.max_duration_s <= profile.target.max_duration_s
    assert found.video is not None
    if plan.slice is not None:
        assert expected.frames == len(plan.slice.pts) == len(plan.source_pts)


# --- 9: determinism ------------------------------------------------------------------------------


@widely(60)
@given(facts(), profiles(), intents())
def test_the_same_input_gives_the_same_decision(
    found: Facts, profile: Profile, intent: Intent
) -> None:
    assert decide(found, profile, intent) == decide(found, profile, intent)


def test_a_decision_does_not_depend_on_the_order_of_sets() -> None:
    """Frozen sets of names are printed in reasons; their order changes with every process."""
    program = (
        "from tests.decide.test_invariants import OFFENDER; from tests.decide.clips import PROFILE;"
        "from preprocess.planner import decide; from preprocess.intent import Intent, Limits;"
        "print([decide(OFFENDER, PROFILE, Intent(limits=level)) for level in Limits])"
    )
    root = Path(__file__).parents[2]
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(told) == 1
    assert "video.codec" in told.pop()


OFFENDER = replace(
    clip(20, coded=Size(1920, 1080), codec="vp9", pixel_format="yuv444p"),
    container="matroska",
    index=IndexPlace.NONE,
)
"""Outside in everything that is a choice among names."""
