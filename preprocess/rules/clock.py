"""Rules about time: window, length, cadence and edit lists. Pure; one function a decision."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.facts import EditShape
from preprocess.intent import Short, WindowKind
from preprocess.plan import Reason, Route
from preprocess.rules.finding import Case, Change, Finding, Obstacle
from preprocess.timing import open_end, rate_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from preprocess.facts import AudioTrack, Span


def window(case: Case) -> Iterable[Finding]:
    """The window asked for lies inside the clip and is not longer than the cap."""
    wanted = case.intent.wanted_window
    if wanted.kind is not WindowKind.SPAN:
        return
    cap = case.target.max_duration_s
    if wanted.end_s is not None and wanted.end_s - wanted.start_s > cap:
        length = wanted.end_s - wanted.start_s
        yield Obstacle(
            Reason(
                rule="window.duration",
                measured=seconds_text(length),
                limit=f"<= {seconds_text(cap)}",
                value=float(length),
                limit_value=float(cap),
                unit="s",
                fix=f"end the window by {seconds_text(wanted.start_s + cap)}",
            )
        )
    if not case.chosen.pts:
        known = case.video.duration_s
        yield Obstacle(
            Reason(
                rule="window.start",
                measured=f"starts at {seconds_text(wanted.start_s)}",
                limit="inside the clip" + (f", {seconds_text(known)} long" if known else ""),
                value=float(wanted.start_s),
                limit_value=float(known) if known else None,
                unit="s",
                fix="start the window earlier",
            )
        )
    elif not case.chosen.whole:
        known = case.video.duration_s
        yield _take_part(
            case, "video.window", seconds_text(known) if known else "a longer clip", str(wanted)
        )


def duration(case: Case) -> Iterable[Finding]:
    """No track is longer than the cap."""
    chosen, cap = case.chosen, case.accept.max_duration_s
    spans = case.intent.wanted_window.kind is WindowKind.SPAN
    if not chosen.too_long or (spans and not chosen.whole):
        return  # `window` has said that a part is taken
    longest = chosen.longest_s
    measured = seconds_text(longest) if longest is not None else f"over {seconds_text(cap)}"
    yield _take_part(case, "video.duration", measured, f"<= {seconds_text(cap)}")


def _take_part(case: Case, rule: str, measured: str, limit: str) -> Change:
    chosen, lossless = case.chosen, can_cut(case)
    given_up, aside = seconds_text(chosen.given_up_s), ""
    if lossless and chosen.given_up_s:
        aside = f"less {given_up} to a clean boundary"
    elif not lossless and case.video.codec in case.accept.video_codecs:
        why = f"gives up {given_up}" if chosen.slice else "has no proven start or end"
        aside = f"encoded: a lossless cut {why}"
    longest = chosen.longest_s
    return Change(
        Reason(
            rule=rule,
            measured=measured,
            limit=limit,
            value=round(float(longest), 6) if longest is not None else None,
            limit_value=float(case.accept.max_duration_s),
            unit="s",
            fix=_part(case),
        ),
        Route.CUT if lossless else Route.ENCODE,
        aside,
    )


def _part(case: Case) -> str:
    """Which part of the clip is kept, in words."""
    window, known = case.intent.wanted_window, case.video.duration_s
    if window.kind is WindowKind.SPAN:
        if window.end_s is not None and known is not None and window.end_s > known:
            kept = f"{seconds_text(window.start_s)} to {seconds_text(known)} kept"
            return f"{kept}, where the clip ends"
        return "the window kept"
    if case.chosen.whole and known is not None:
        return f"all {seconds_text(known)} of the picture kept, other tracks ended with it"
    end = "last" if window.kind is WindowKind.TAIL else "first"
    return f"the {end} {seconds_text(case.target.max_duration_s)} kept"


def can_cut(case: Case) -> bool:
    """Whether packets can be copied without giving up more of the window than is tolerated.

    Nothing is, where all of the picture could stay: only other tracks are too long then.
    """
    if case.chosen.whole:
        return case.chosen.slice is not None and not case.chosen.given_up_s
    tail = case.intent.wanted_window.kind is WindowKind.TAIL
    tolerances = case.tolerances
    tolerance = tolerances.tail_tolerance_s if tail else tolerances.cut_tolerance_s
    return case.chosen.slice is not None and case.chosen.given_up_s <= tolerance


def short(case: Case) -> Iterable[Finding]:
    """The picture lasts long enough."""
    length, floor = picture_s(case), case.accept.min_duration_s
    if not case.chosen.pts or length >= floor:
        return
    how = case.intent.short
    reason = Reason(
        rule="video.short",
        measured=seconds_text(length),
        limit=f">= {seconds_text(floor)}",
        value=float(length),
        limit_value=float(floor),
        unit="s",
        fix={
            Short.REJECT: _longer(case),
            Short.HOLD: "the last picture is held",
            Short.LOOP: "the clip is repeated",
        }[how],
    )
    yield Obstacle(reason) if how is Short.REJECT else Change(reason, Route.ENCODE)


def _longer(case: Case) -> str:
    if case.facts.image is not None:
        return "repeat it with --short loop, or --mode i2v_first takes its first picture"
    return "use a longer clip, or --short hold or loop"


def picture_s(case: Case) -> Fraction:
    """Length of the picture before anything is held or repeated."""
    return case.chosen.frames / case.chosen.rate


def visible(case: Case) -> Iterable[Finding]:
    """Some picture is shown."""
    # Of an empty span `window` has spoken.
    if not case.chosen.pts and case.intent.wanted_window.kind is not WindowKind.SPAN:
        yield Obstacle(
            Reason(
                rule="input.no_picture",
                measured="every picture is hidden",
                limit="a picture that is shown",
                fix="use a file that shows something",
            )
        )


LONGEST_STILL_S = 10
"""A picture may stand this long: recordings of a screen store nothing while nothing moves. What is
longer is taken for a hole in the recording or a clock that jumped, unless sound runs through it."""
_UNHEARD_S = Fraction(1, 10)
"""Of a still picture: sound ends a little before the picture does, or has a packet's hole."""


def cadence(case: Case) -> Iterable[Finding]:
    """Pictures follow each other at a constant, accepted rate."""
    chosen, accept, found = case.chosen, case.accept, case.chosen.cadence
    if not chosen.pts:
        return
    if found is None:
        yield _made_constant(case)
    elif not accept.min_rate <= found.rate <= accept.max_rate:
        yield _change_rate(case, found.rate, chosen.rate)


def _made_constant(case: Case) -> Change:
    chosen = case.chosen
    longest = seconds_text(chosen.longest_still_s)
    return Change(
        Reason(
            rule="video.variable_rate",
            measured=f"variable, up to {longest} from one picture to the next",
            limit="constant rate",
            value=round(float(chosen.longest_still_s), 6),
            unit="s",
            fix=f"each picture shown in its time, {rate_text(chosen.rate)}",
        ),
        Route.ENCODE,
    )


def gaps(case: Case) -> Iterable[Finding]:
    """No picture stands so long that something must be missing."""
    stills = (still for still in case.chosen.stills if not _is_heard(case.audio, still))
    still_s = max((still.length_s for still in stills), default=0)
    if still_s > LONGEST_STILL_S:
        yield Obstacle(
            Reason(
                rule="video.gap",
                measured=f"no picture for {seconds_text(still_s)}",
                limit=f"<= {seconds_text(LONGEST_STILL_S)}, or sound all the while",
                value=round(float(still_s), 6),
                limit_value=LONGEST_STILL_S,
                unit="s",
                fix="choose a part without the gap with --window START..END",
            )
        )


def _is_heard(audio: AudioTrack | None, still: Span) -> bool:
    """Whether sound runs all the while, so that nothing of the recording is missing."""
    spans = audio.spans if audio is not None and audio.spans is not None else ()
    heard_s = sum(span.shared_s(still.start_s, still.end_s) for span in spans)
    return heard_s >= still.length_s - _UNHEARD_S


def time_stamps(case: Case) -> Iterable[Finding]:
    """Every picture has its own place on the grid."""
    found, allowed = case.chosen.cadence, case.tolerances.constant_s
    if not case.video.table.exact_pts:
        yield Change(
            Reason(
                rule="video.timestamps",
                measured="times of decoding alone",
                limit="times at which pictures are shown",
                fix="pictures in the order in which the decoder gives them",
            ),
            Route.ENCODE,
        )
    if case.chosen.doubled:
        yield Change(
            Reason(
                rule="video.timestamps",
                measured="pictures share a time stamp",
                limit="one picture at a time",
                fix="one of them kept",
            ),
            Route.ENCODE,
        )
    if found is not None and found.deviation_s > allowed:
        off_ms = float(found.deviation_s * 1000)
        yield Change(
            Reason(
                rule="video.timestamps",
                measured=f"up to {off_ms:.1f} ms off {rate_text(found.rate)}",
                limit=f"<= {float(allowed * 1000):g} ms",
                value=round(off_ms, 3),
                limit_value=float(allowed * 1000),
                unit="ms",
                fix="time stamps rewritten",
            ),
            Route.REWRAP,
        )


def _change_rate(case: Case, rate: Fraction, target: Fraction) -> Change:
    accept = case.accept
    times = round(target / rate)
    copied = times == 1
    if copied:
        fix = f"retimed to {rate_text(target)}"
    elif times > 1:
        fix = f"each picture shown {times} times, {rate_text(target)}"
    else:
        fix = f"one of {round(rate / target)} pictures kept, {rate_text(target)}"
    slow = rate < accept.min_rate
    bound = accept.min_rate if slow else accept.max_rate
    return Change(
        Reason(
            rule="video.frame_rate",
            measured=rate_text(rate),
            limit=f"{'>=' if slow else '<='} {rate_text(bound)}",
            value=float(rate),
            limit_value=float(bound),
            unit="fps",
            fix=fix,
        ),
        Route.REWRAP if copied else Route.ENCODE,
    )


def end(case: Case) -> Iterable[Finding]:
    """The last pictures have all come, whole."""
    video, table = case.video, case.video.table
    open_ones = open_end(table.pts) if table.at_end else 0
    shown = table.pts[: len(table.pts) - open_ones]
    if not (open_ones or video.left_out) or max(shown, default=0) not in case.chosen.pts:
        return
    lost = open_ones + video.left_out
    if video.left_out:
        measured, limit = "the file ends inside its last picture", "whole pictures"
    else:
        last = "one" if lost == 1 else f"{lost}"
        measured, limit = f"pictures are missing just before the last {last}", "none missing"
    yield Change(
        Reason(
            rule="video.open_end",
            measured=measured,
            limit=limit,
            value=lost,
            unit="pictures",
            fix="ended before it" if lost == 1 else f"ended before the last {lost} pictures",
        ),
        Route.REWRAP,
    )


def edit_list(case: Case) -> Iterable[Finding]:
    """An edit list hides no picture and delays nothing."""
    shape = case.video.edit
    if shape in (EditShape.NONE, EditShape.PLAIN):
        return
    yield Change(
        Reason(
            rule="video.edit_list",
            measured="several edits" if shape is EditShape.COMPLEX else "hides or delays pictures",
            limit="at most one edit that hides no picture",
            value=shape.value,
            fix="applied",
        ),
        Route.REWRAP if shape is EditShape.TRIMS else Route.ENCODE,
    )
