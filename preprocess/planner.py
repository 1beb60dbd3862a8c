"""What happens to a clip, decided from facts alone. Start reading here.

Each rule looks at one property and names the cheapest route that mends it; the costliest of these
routes is taken, and what it has to produce is written down as `Expected`.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.encoding import video_encoding
from preprocess.image_planner import decide_image
from preprocess.intent import VIDEO_ROLES, Intent, Short
from preprocess.plan import (
    AudioAction,
    AudioPlan,
    ClipPlan,
    ExpectedClip,
    Plan,
    Price,
    Reason,
    Rejection,
    Route,
    ShortAction,
)
from preprocess.rules import clock, file, picture, sound
from preprocess.rules.finding import Case, Change, Rule
from preprocess.schedule import filled, limited
from preprocess.shape import target_picture
from preprocess.window import Chosen, choose

if TYPE_CHECKING:
    from preprocess.facts import Facts, VideoTrack
    from preprocess.geometry import Size
    from preprocess.profiles.model import Profile

RULES: tuple[Rule, ...] = (
    file.role,
    clock.window,
    clock.visible,
    clock.duration,
    clock.short,
    picture.orientation,
    picture.sample_aspect,
    picture.shape,
    picture.area,
    picture.sides,
    picture.dynamic_range,
    picture.colour,
    picture.scan,
    picture.uniform,
    clock.cadence,
    clock.gaps,
    clock.time_stamps,
    clock.end,
    clock.edit_list,
    picture.codec,
    sound.presence,
    sound.complete,
    sound.codec,
    sound.timing,
    sound.length,
    file.streams,
    file.private_metadata,
    file.container,
    file.index,
    file.size,
)


def decide(
    facts: Facts, profile: Profile, intent: Intent, *, at_least: Route = Route.KEEP
) -> Plan | Rejection:
    """Name the cheapest route that makes *facts* fit *profile*, or every objection.

    *at_least* excludes cheaper routes, after one of them failed its verification.
    """
    if _is_still(facts, intent):
        return decide_image(facts, profile, intent, at_least=at_least)
    objections = file.input_objections(facts)
    if facts.video is None or facts.fault is not None:
        return Rejection(reasons=tuple(objections))
    case = _case(facts, profile, intent)
    findings = [finding for rule in RULES for finding in rule(case)]
    changes = [finding for finding in findings if isinstance(finding, Change)]
    route = max((at_least, *(change.route for change in changes)))
    changes += _no_copy(case, route)
    route = max((at_least, *(change.route for change in changes)))
    if route > Route.KEEP:
        changes += sound.uneven(case)
    if route is Route.ENCODE:
        findings += picture.reachable(case)
    objections += file.obstacles(findings)
    if objections:
        return Rejection(reasons=_unique(objections))
    reasons = _unique(change.told(route) for change in changes)
    return _plan(case, profile, route, reasons)


def _is_still(facts: Facts, intent: Intent) -> bool:
    """Whether the file is used as one picture: an animation is, where an image is asked for."""
    if facts.image is None:
        return False
    if not facts.image.animated:
        return facts.fault is None
    unknown = facts.video is None and facts.fault is None
    return unknown or intent.wanted_role not in VIDEO_ROLES


def _case(facts: Facts, profile: Profile, intent: Intent) -> Case:
    assert facts.video is not None  # noqa: S101 - `decide` has looked
    accept, target = profile.accept(intent.limits), profile.target
    return Case(
        facts=facts,
        video=facts.video,
        chosen=choose(
            facts.video, facts.audio, intent.wanted_window, accept, target, profile.tolerances
        ),
        accept=accept,
        target=target,
        tolerances=profile.tolerances,
        intent=intent,
    )


def _unique(reasons: object) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))  # type: ignore[call-overload]


def _no_copy(case: Case, route: Route) -> list[Change]:
    """Packets can only be copied from a proven start to a proven end."""
    chosen = case.chosen
    if route not in (Route.REWRAP, Route.CUT):
        return []
    all_of_it = chosen.slice is not None and not chosen.given_up_s
    if chosen.whole and not chosen.too_long:
        cheapest = route if all_of_it else Route.ENCODE
    else:
        # Not only what was too long: on its grid a clip can get longer than it was.
        cheapest = Route.CUT if clock.can_cut(case) else Route.ENCODE
    if cheapest <= route:
        return []
    return [
        Change(
            Reason(
                rule="video.boundary",
                measured="no safe first picture" if chosen.slice is None else "an unclean end",
                limit="an IDR picture first, a clean boundary last",
                fix="pictures encoded anew"
                if cheapest is Route.ENCODE
                else "cut at a clean boundary",
            ),
            cheapest,
        )
    ]


def _plan(case: Case, profile: Profile, route: Route, reasons: tuple[Reason, ...]) -> ClipPlan:
    if route is Route.KEEP:
        return _keep(case, profile)
    if route is Route.ENCODE:
        return _encode(case, profile, reasons)
    return _copy(case, profile, route, reasons)


def _priced(plan: ClipPlan, profile: Profile) -> ClipPlan:
    seconds = plan.expected.duration_s
    price = Price(seconds=seconds, usd_per_second=profile.price(seconds, with_video=True))
    return replace(plan, price=price)


def _keep(case: Case, profile: Profile) -> ClipPlan:
    video, chosen, facts = case.video, case.chosen, case.facts
    expected = ExpectedClip(
        route=Route.KEEP,
        container=facts.container or "",
        width_px=video.displayed.width,
        height_px=video.displayed.height,
        frame_rate=chosen.rate,
        frames=len(chosen.pts),
        duration_s=video.duration_s or Fraction(0),
        max_duration_s=case.accept.max_duration_s,
        video_codec=video.codec,
        pixel_format=video.pixel_format,
        audio_codec=facts.audio.codec if facts.audio else None,
        max_bytes=case.accept.max_bytes,
    )
    plan = ClipPlan(
        route=Route.KEEP,
        reasons=(),
        expected=expected,
        start_s=chosen.start_s,
        source_start_s=_on_clock(video, chosen.start_s),
        video_stream=video.stream,
        slice=None,
        retimed=False,
        encoding=None,
        source_pts=chosen.pts,
        exact_pts=video.table.exact_pts,
        short=ShortAction.NONE,
        audio=AudioPlan(action=AudioAction.COPY if facts.audio else AudioAction.DROP),
    )
    return _priced(plan, profile)


def _audio_codec(case: Case, audio: AudioPlan) -> str | None:
    if audio.action is AudioAction.DROP or case.audio is None:
        return None
    return case.audio.codec if audio.action is AudioAction.COPY else case.target.audio_codec


def _cap_s(case: Case) -> Fraction:
    """No track of a rewritten clip is longer; a clip inside accept keeps its length."""
    if case.chosen.too_long or not case.chosen.whole:
        return case.target.max_duration_s
    return case.accept.max_duration_s


def _copy(case: Case, profile: Profile, route: Route, reasons: tuple[Reason, ...]) -> ClipPlan:
    video, chosen = case.video, case.chosen
    assert chosen.slice is not None  # noqa: S101 - `_no_copy` has looked
    duration_s = chosen.slice_frames / chosen.rate
    audio = sound.plan_audio(
        case, ShortAction.NONE, start_s=chosen.slice_start_s, duration_s=duration_s
    )
    too_large = case.facts.size_bytes > case.accept.max_bytes
    expected = ExpectedClip(
        route=route,
        container=case.target.container,
        width_px=video.displayed.width,
        height_px=video.displayed.height,
        frame_rate=chosen.rate,
        frames=chosen.slice_frames,
        duration_s=duration_s,
        max_duration_s=_cap_s(case),
        video_codec=video.codec,
        pixel_format=video.pixel_format,
        audio_codec=_audio_codec(case, audio),
        max_bytes=case.target.max_bytes if too_large else case.accept.max_bytes,
    )
    plan = ClipPlan(
        route=route,
        reasons=reasons,
        expected=expected,
        start_s=chosen.slice_start_s,
        source_start_s=_on_clock(video, chosen.slice_start_s),
        video_stream=video.stream,
        slice=chosen.slice,
        retimed=chosen.cadence is not None and chosen.cadence.rate != chosen.rate,
        encoding=None,
        source_pts=tuple(sorted(chosen.slice.pts)),
        exact_pts=True,
        short=ShortAction.NONE,
        audio=audio,
    )
    return _priced(plan, profile)


def _encode(case: Case, profile: Profile, reasons: tuple[Reason, ...]) -> ClipPlan:
    video, chosen, target = case.video, _capped(case), case.target
    shape = target_picture(video, target.size_limits, case.intent, _rendered_sizes(profile))
    assert shape is not None  # noqa: S101 - `picture.reachable` has looked
    short = _short_action(case)
    frames = _frames(case, chosen, short)
    duration_s = frames / chosen.rate
    audio = sound.plan_audio(case, short, start_s=chosen.start_s, duration_s=duration_s)
    encoding = video_encoding(video, chosen, shape, target, duration_s, audio)
    if short is not ShortAction.LOOP:
        writes = filled(limited(chosen.writes, frames), frames)
        encoding = replace(encoding, writes=writes)
    expected = ExpectedClip(
        route=Route.ENCODE,
        container=target.container,
        width_px=shape.canvas.width,
        height_px=shape.canvas.height,
        frame_rate=chosen.rate,
        frames=frames,
        duration_s=duration_s,
        max_duration_s=target.max_duration_s,
        video_codec=target.video_codec,
        pixel_format=target.pixel_format,
        audio_codec=_audio_codec(case, audio),
        max_bytes=target.max_bytes,
    )
    plan = ClipPlan(
        route=Route.ENCODE,
        reasons=reasons,
        expected=expected,
        start_s=chosen.start_s,
        source_start_s=_on_clock(video, chosen.start_s),
        video_stream=video.stream,
        slice=None,
        retimed=False,
        encoding=encoding,
        source_pts=chosen.pts,
        exact_pts=video.table.exact_pts,
        short=short,
        audio=audio,
    )
    return _priced(plan, profile)


def _capped(case: Case) -> Chosen:
    """The pictures of an encode, which keeps the target's cap where more is accepted."""
    chosen, cap_s = case.chosen, case.target.max_duration_s
    if chosen.frames <= int(cap_s * chosen.rate):
        return chosen
    accept = replace(case.accept, max_duration_s=cap_s)
    window = case.intent.wanted_window
    return choose(case.video, case.facts.audio, window, accept, case.target, case.tolerances)


def _rendered_sizes(profile: Profile) -> tuple[Size, ...]:
    sizes = {size for table in profile.sizes.values() for size in table.values()}
    return tuple(sorted(sizes, key=lambda size: -size.area))


def _short_action(case: Case) -> ShortAction:
    if clock.picture_s(case) >= case.accept.min_duration_s:
        return ShortAction.NONE
    return ShortAction.LOOP if case.intent.short is Short.LOOP else ShortAction.HOLD


def _frames(case: Case, chosen: Chosen, short: ShortAction) -> int:
    """Pictures of the result, with those held or repeated to reach the shortest length."""
    if short is ShortAction.NONE:
        return min(chosen.frames, int(case.target.max_duration_s * chosen.rate))
    needed = -(-case.target.min_duration_s * chosen.rate // 1)
    return max(chosen.frames, int(needed))


def _on_clock(video: VideoTrack, start_s: Fraction) -> Fraction:
    return video.table.origin_pts * video.table.time_base + start_s
