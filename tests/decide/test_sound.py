"""What the plan expects of the sound, and what becomes of what trying has shown."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocess import AudioChoice, Intent, Mode, Short, load_profile, parse_window
from preprocess.facts import Facts, Span
from preprocess.plan import AudioAction, AudioPlan, ClipPlan, Rejection, Route
from preprocess.planner import decide
from preprocess.rules.sound import normal_loss_s
from tests.decide.clips import audio_of, clip, facts_of, rules

PROFILE = load_profile("seedance-2-0-mini")
TIMES = st.fractions(min_value=-5, max_value=25, max_denominator=100)


def span(start_s: Fraction | float, end_s: Fraction | float) -> Span:
    return Span(start_s=Fraction(start_s), end_s=Fraction(end_s))


def with_sound(seconds: Fraction | int = 10, container: str = "matroska", **fields: Any) -> Facts:  # noqa: ANN401 - fields of AudioTrack
    """A clip that is at least rewrapped, so that its plan says what becomes of the sound."""
    found = clip(seconds)
    assert found.video is not None
    return facts_of(found.video, audio_of(seconds, **fields), container=container)


def audio_plan(found: Facts, intent: Intent | None = None) -> AudioPlan:
    decision = decide(found, PROFILE, intent or Intent())
    assert isinstance(decision, ClipPlan), decision
    return decision.audio


@pytest.mark.parametrize(
    ("seconds", "spans", "intent", "expected_s"),
    [
        (10, (span(0, 10),), Intent(), 10),
        (10, (span(-1, 12),), Intent(), 10),
        (10, (span(0, 4), span(5, 9.5)), Intent(), 8.5),
        (20, (span(0, 20),), Intent(), 15),
        (20, (span(0, 18),), Intent(mode=Mode.EXTEND), 13),
        (20, (span(0, 20),), Intent(window=parse_window("3..7")), 4),
        (20, (span(0, 4),), Intent(window=parse_window("3..7")), 1),
        # What is held is silent; what is repeated is heard again.
        (1, (span(0, 1),), Intent(short=Short.HOLD), 1),
        (1, (span(0, 1),), Intent(short=Short.LOOP), 2),
        (1, (span(0.5, 3),), Intent(short=Short.LOOP), 1),
    ],
)
def test_the_plan_counts_on_what_packets_promise_inside_the_window(
    seconds: int, spans: tuple[Span, ...], intent: Intent, expected_s: float
) -> None:
    assert audio_plan(with_sound(seconds, spans=spans), intent).expected_s == expected_s


@given(st.lists(st.tuples(TIMES, TIMES), max_size=4))
def test_no_more_is_expected_than_the_result_is_long(times: list[tuple[Any, Any]]) -> None:
    marks = sorted({time for pair in times for time in pair})
    spans = tuple(span(*marks[n : n + 2]) for n in range(0, len(marks) - 1, 2))
    audio = audio_plan(with_sound(20, spans=spans))

    whole = span(0, 15)
    inside = sum((s.shared_s(whole.start_s, whole.end_s) for s in spans), Fraction(0))
    assert (audio.expected_s or 0) == inside <= 15
    assert (audio.action is AudioAction.DROP) == (not inside)


def test_nothing_is_expected_of_sound_that_nobody_measured() -> None:
    assert audio_plan(with_sound(spans=None)).expected_s is None


def test_sound_outside_the_window_is_left_out_and_told() -> None:
    found = with_sound(20, "mp4", spans=(span(16, 20),), start_s=Fraction(16), duration_s=4)

    assert rules(decide(found, PROFILE, Intent())) == {"video.duration", "audio.outside"}
    assert audio_plan(found).action is AudioAction.DROP
    assert audio_plan(found, Intent(mode=Mode.EXTEND)).action is not AudioAction.DROP


# --- found by trying -----------------------------------------------------------------------------


def test_uneven_packets_are_decoded_where_something_is_written() -> None:
    kept = with_sound(10, "mp4", uneven="a hole in the sound at 3 s")
    written = replace(kept, container="matroska")

    assert rules(decide(kept, PROFILE, Intent())) == set()
    assert audio_plan(written).action is AudioAction.ENCODE
    (reason,) = (r for r in decide(written, PROFILE, Intent()).reasons if r.rule == "audio.uneven")
    assert (reason.measured, reason.fix) == ("a hole in the sound at 3 s", "encoded as aac")


def test_why_accepted_sound_is_encoded_is_always_told() -> None:
    found = with_sound(frame_samples=None)

    assert audio_plan(found).action is AudioAction.ENCODE
    assert "audio.uneven" in rules(decide(found, PROFILE, Intent()))


def test_another_codec_is_encoded_for_one_reason() -> None:
    found = with_sound(codec="opus", frame_samples=None)

    assert rules(decide(found, PROFILE, Intent())) == {"audio.codec", "file.container"}


def test_a_track_that_was_passed_over_is_told() -> None:
    found = with_sound(stream=2, passed_over=("track 1 (apac)",))
    reasons = {reason.rule: reason for reason in decide(found, PROFILE, Intent()).reasons}

    assert reasons["audio.undecodable"].measured == "track 1 (apac)"
    assert reasons["audio.undecodable"].fix == "track 2 taken instead"
    assert audio_plan(found).stream == 2


def test_sound_whose_bytes_are_missing_rejects_unless_it_is_left_out() -> None:
    found = with_sound(10, "mp4", window_s=Fraction(5), readable_s=Fraction("3.08"))
    decision = decide(found, PROFILE, Intent())
    silent = decide(found, PROFILE, Intent(audio=AudioChoice.DROP))

    assert isinstance(decision, Rejection)
    (reason,) = decision.reasons
    assert reason.rule == "input.truncated"
    assert reason.measured == "3.08 s of 5 s of the sound of the window is there"
    assert (reason.value, reason.limit_value, reason.unit) == (3.08, 5.0, "s")
    assert isinstance(silent, ClipPlan)
    assert silent.route is Route.REWRAP


def test_long_packets_may_be_missing_by_two() -> None:
    """One of 8 kHz AAC lasts 128 ms, and decoders drop the first."""
    assert normal_loss_s(1024, 48_000) == Fraction(1, 10)
    assert normal_loss_s(1024, 8_000) == Fraction(256, 1000)
    assert normal_loss_s(None, None) == Fraction(1, 10)
