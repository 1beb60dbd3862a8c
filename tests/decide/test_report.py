"""Facts as data: what people and programs are told about a clip."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from preprocess.facts import Dynamic
from preprocess.geometry import Orientation, Size
from preprocess.intent import Intent
from preprocess.planner import decide
from preprocess.report import decision_data, facts_data, rate, seconds
from tests.decide.clips import (
    NTSC_30,
    PROFILE,
    Gop,
    Shape,
    clip,
    closed,
    facts_of,
    part_of,
    table_of,
    video_of,
)


def test_times_are_seconds_and_rates_exact() -> None:
    assert seconds(Fraction(1, 3)) == 0.333333
    assert seconds(None) is None
    assert rate(NTSC_30) == "30000/1001"
    assert rate(Fraction(25)) == "25/1"
    assert rate(None) is None


def test_a_clip_is_told_as_it_is_shown() -> None:
    found = facts_data(
        clip(4, NTSC_30, coded=Size(1920, 1080), orientation=Orientation.MIRRORED_CLOCKWISE)
    )

    assert (found["width_px"], found["height_px"]) == (1080, 1920)
    assert (found["coded_width_px"], found["coded_height_px"]) == (1920, 1080)
    assert (found["rotation_deg"], found["mirrored"]) == (90, True)
    assert (found["frame_rate"], found["constant_rate"], found["frames"]) == (
        "30000/1001", True, 120,
    )  # fmt: skip
    assert found["duration_s"] == 4.004
    assert found["hdr"] is False
    assert facts_data(clip(4, dynamic=Dynamic.HLG))["hdr"] is True


def test_the_torn_end_of_what_a_probe_saw_is_no_variable_rate() -> None:
    """The last packets read lack the B pictures between them."""
    table = part_of(table_of([Gop(Shape.PYRAMID, 2000, 7)]), 0, 458)
    found = facts_data(facts_of(video_of(table, duration_s=Fraction(60))))

    assert (found["frame_rate"], found["constant_rate"]) == ("30/1", True)
    assert found["window"] == {"pictures": 458, "at_start": True, "at_end": False}


def test_boundaries_are_the_ends_of_the_last_clean_runs() -> None:
    whole = facts_data(facts_of(video_of(table_of([closed(10, 2)]))))
    table = replace(table_of([closed(10, 2)], first_pts=100), at_end=False)
    part = facts_data(facts_of(video_of(table)))

    assert whole["boundaries_s"] == [seconds(Fraction(n, 30)) for n in (1, 4, 7, 10)]
    assert part["boundaries_s"] == [seconds(Fraction(n, 30)) for n in (1, 4, 7)]


def test_a_file_without_a_picture_has_the_same_keys_empty() -> None:
    blank = replace(clip(4), video=None, audio=None)
    found = facts_data(blank)

    assert found["duration_s"] is None
    assert found["frame_rate"] is None
    assert found["audio_codec"] is None
    assert set(found) <= set(facts_data(clip(4)))


def test_a_rejection_has_reasons_and_no_plan() -> None:
    rejected = decision_data(decide(clip(1), PROFILE, Intent()))
    planned = decision_data(decide(clip(20, gop=closed(30, 0)), PROFILE, Intent()))

    assert rejected["plan"] is None
    assert [reason["rule"] for reason in rejected["reasons"]] == ["video.short"]  # type: ignore[attr-defined]
    assert planned["plan"]["route"] == "cut"  # type: ignore[index]
    assert planned["plan"]["price"] == {  # type: ignore[index]
        "seconds": 15.0,
        "usd_per_second": {"480p": 0.167, "720p": 0.359},
        "usd": {"480p": 2.505, "720p": 5.385},
    }
