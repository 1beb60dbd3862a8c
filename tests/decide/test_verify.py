"""A result that misses a promise is noticed, and the right promise is named."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from preprocess.facts import EditShape, Facts, IndexPlace, Kind, StreamFacts
from preprocess.geometry import Orientation, Size
from preprocess.intent import Intent
from preprocess.plan import ClipPlan, Route
from preprocess.planner import decide
from preprocess.verify import check_result
from tests.decide.clips import PROFILE, clip, closed
from tests.decide.results import measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from preprocess.job import Measured, Outcome

SOURCES = {
    Route.CUT: clip(20, gop=closed(30, 0)),
    Route.REWRAP: replace(clip(10), container="matroska"),
    Route.ENCODE: clip(4, coded=Size(1920, 1080)),
}


def carried_out(route: Route) -> tuple[ClipPlan, Outcome, Measured]:
    source = SOURCES[route]
    plan = decide(source, PROFILE, Intent())
    assert isinstance(plan, ClipPlan)
    assert plan.route is route
    return plan, *measured(plan, source)


def missed(route: Route, spoil: Callable[[Facts], Facts]) -> set[str]:
    """The checks that fail once the measured facts are spoiled."""
    plan, outcome, found = carried_out(route)
    spoilt = replace(found, facts=spoil(found.facts))
    return {check.name for check in check_result(plan, outcome, spoilt) if not check.ok}


def video(**fields: Any) -> Callable[[Facts], Facts]:  # noqa: ANN401 - fields of VideoTrack
    def spoil(facts: Facts) -> Facts:
        assert facts.video is not None
        return replace(facts, video=replace(facts.video, **fields))

    return spoil


def audio(**fields: Any) -> Callable[[Facts], Facts]:  # noqa: ANN401 - fields of AudioTrack
    def spoil(facts: Facts) -> Facts:
        assert facts.audio is not None
        return replace(facts, audio=replace(facts.audio, **fields))

    return spoil


def file(**fields: Any) -> Callable[[Facts], Facts]:  # noqa: ANN401 - fields of Facts
    return lambda facts: replace(facts, **fields)


def table(**fields: Any) -> Callable[[Facts], Facts]:  # noqa: ANN401 - fields of PictureTable
    def spoil(facts: Facts) -> Facts:
        assert facts.video is not None
        return replace(
            facts, video=replace(facts.video, table=replace(facts.video.table, **fields))
        )

    return spoil


def one_picture_late(facts: Facts) -> Facts:
    assert facts.video is not None
    pts = list(facts.video.table.pts)
    pts[-1] += 1
    return table(pts=tuple(pts))(facts)


def one_picture_missing(facts: Facts) -> Facts:
    assert facts.video is not None
    last = max(facts.video.table.pts)
    return table(pts=tuple(pts for pts in facts.video.table.pts if pts != last))(facts)


STRAY = StreamFacts(index=9, kind="data", codec=None)
SPOILT: dict[str, tuple[Callable[[Facts], Facts], set[str]]] = {
    "another size": (video(displayed=Size(1280, 718)), {"size"}),
    "turned": (video(orientation=Orientation.CLOCKWISE), {"upright"}),
    "oblong pixels": (video(sample_aspect=Fraction(4, 3)), {"upright"}),
    "another codec": (video(codec="hevc"), {"video_codec"}),
    "another pixel format": (video(pixel_format="yuv444p"), {"pixel_format"}),
    "a picture late by a tick": (one_picture_late, {"time_stamps"}),
    "the last picture missing": (one_picture_missing, {"frames"}),
    "too long": (video(duration_s=Fraction("15.001")), {"duration"}),
    "too long without edits": (video(media_duration_s=Fraction("15.001")), {"duration"}),
    "a header that says too long": (file(duration_s_from_header=Fraction("15.001")), {"duration"}),
    "no known length": (video(duration_s=None), {"duration"}),
    "an end that was not seen": (table(at_end=False), {"duration"}),
    "pictures hidden": (video(edit=EditShape.TRIMS), {"video_edit_list"}),
    "sound too long": (audio(duration_s=Fraction("15.001")), {"duration"}),
    "sound too long without edits": (audio(media_duration_s=Fraction("15.001")), {"duration"}),
    "sound late": (audio(start_s=Fraction("0.031")), {"audio_start"}),
    "sound early": (audio(start_s=Fraction("-0.031")), {"audio_start"}),
    "sound hidden": (audio(edit=EditShape.TRIMS), {"audio_edit_list"}),
    "another sound": (audio(codec="mp3"), {"audio_codec"}),
    "no sound": (file(audio=None), {"audio_codec"}),
    "another container": (file(container="mov"), {"container"}),
    "index last": (file(index=IndexPlace.LAST), {"index"}),
    "private metadata": (file(private_metadata=("location",)), {"private_metadata"}),
    "a track too many": (file(streams=(STRAY,) * 3), {"tracks"}),
    "a byte too many": (file(size_bytes=50_000_001), {"size_bytes"}),
    "nothing": (file(size_bytes=0), {"size_bytes"}),
}


@pytest.mark.parametrize("route", SOURCES)
@pytest.mark.parametrize("how", SPOILT)
def test_each_broken_promise_is_named(route: Route, how: str) -> None:
    spoil, names = SPOILT[how]

    assert missed(route, spoil) == names


@pytest.mark.parametrize("route", SOURCES)
def test_a_perfect_result_misses_nothing(route: Route) -> None:
    assert missed(route, lambda facts: facts) == set()
    assert missed(route, audio(start_s=Fraction("0.025"))) == set()
    assert missed(route, file(size_bytes=50_000_000)) == set()


def test_sound_with_long_frames_starts_with_the_picture_too() -> None:
    """1024 samples at 16 kHz are 64 ms; an edit hides what of them comes before."""
    slow = {"sample_rate_hz": 16_000, "frame_samples": 1024}

    assert missed(Route.CUT, audio(start_s=Fraction("-0.025"), **slow)) == set()
    assert missed(Route.CUT, audio(start_s=Fraction("-0.026"), **slow)) == {"audio_start"}


@pytest.mark.parametrize("field", ["color_matrix", "color_primaries", "color_transfer"])
def test_an_encode_has_to_be_tagged(field: str) -> None:
    assert missed(Route.ENCODE, video(**{field: None})) == {"colour_tags"}
    assert missed(Route.ENCODE, video(**{field: "smpte170m"})) == {"colour_tags"}
    assert missed(Route.CUT, video(**{field: None})) == set()


def test_an_encode_has_limited_range() -> None:
    assert missed(Route.ENCODE, video(full_range=True)) == {"colour_tags"}
    assert missed(Route.REWRAP, video(full_range=True)) == set()


@pytest.mark.parametrize("route", [Route.REWRAP, Route.CUT])
def test_a_copy_has_the_very_packets_of_its_source(route: Route) -> None:
    plan, outcome, found = carried_out(route)
    changed = replace(found, picture_digests=("other", *found.picture_digests[1:]))
    fewer = replace(found, picture_digests=found.picture_digests[1:])
    other_sound = replace(found, sound_digests=("other",))
    lost = replace(outcome, picture_digests=()), replace(found, picture_digests=())

    for pair in ((outcome, changed), (outcome, fewer), lost):
        names = {check.name for check in check_result(plan, *pair) if not check.ok}
        assert names == {"pictures_identical"}
    names = {check.name for check in check_result(plan, outcome, other_sound) if not check.ok}
    assert names == {"sound_identical"}


def test_every_picture_that_is_decoded_has_to_come_out() -> None:
    plan, outcome, found = carried_out(Route.ENCODE)
    short = replace(found, decoded=41, to_decode=42)

    (check,) = [check for check in check_result(plan, outcome, short) if not check.ok]
    assert (check.name, check.measured) == ("decodes", "41 of 42 pictures")


def test_a_result_whose_pictures_come_in_another_order_is_not_published() -> None:
    plan, outcome, found = carried_out(Route.REWRAP)
    scrambled = replace(found, in_order=False)

    names = [check.name for check in check_result(plan, outcome, scrambled) if not check.ok]
    assert names == ["picture_order"]


def test_a_result_without_a_picture_is_not_looked_at_further() -> None:
    plan, outcome, found = carried_out(Route.CUT)
    nothing = replace(found.facts, kind=Kind.OTHER, video=None, fault="input.corrupt")

    (check,) = check_result(plan, outcome, replace(found, facts=nothing))
    assert (check.name, check.ok, check.measured) == ("readable", False, "input.corrupt")


def test_a_result_of_which_no_length_is_known_is_refused() -> None:
    unknown = {"duration_s": None, "media_duration_s": None}

    def spoil(facts: Facts) -> Facts:
        bare = replace(facts, audio=None, duration_s_from_header=None)
        return video(**unknown)(bare)

    assert "duration" in missed(Route.CUT, spoil)


@pytest.mark.parametrize(("there_s", "checks"), [("9.95", set()), ("9.85", {"audio_length"})])
def test_a_result_with_less_sound_than_its_source_promised_is_noticed(
    there_s: str, checks: set[str]
) -> None:
    plan, outcome, found = carried_out(Route.REWRAP)
    counted = replace(plan, audio=replace(plan.audio, expected_s=Fraction(10)))
    shorter = replace(found, facts=audio(duration_s=Fraction(there_s))(found.facts))
    failed = {check.name for check in check_result(counted, outcome, shorter) if not check.ok}

    assert failed == checks


@pytest.mark.parametrize(("there_s", "checks"), [("9.95", set()), ("9.85", {"sound_decodes"})])
def test_a_result_whose_sound_does_not_decode_is_noticed(there_s: str, checks: set[str]) -> None:
    plan, outcome, found = carried_out(Route.REWRAP)
    decoded = replace(found, sound_s=Fraction(there_s), sound_to_decode_s=Fraction(10))
    failed = {check.name for check in check_result(plan, outcome, decoded) if not check.ok}

    assert failed == checks
