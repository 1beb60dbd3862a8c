"""Whether a result is what its plan promised. Pure: measurements in, checks out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.facts import EditShape, Facts, IndexPlace, VideoTrack
from preprocess.geometry import Orientation
from preprocess.plan import ClipPlan, ExpectedClip, Route
from preprocess.rules.sound import UNNOTICED_S, normal_loss_s
from preprocess.timing import seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preprocess.job import Measured, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise and what was found."""

    name: str
    ok: bool
    measured: str


def check_result(plan: ClipPlan, outcome: Outcome, measured: Measured) -> tuple[Check, ...]:
    """Compare *measured* with everything *plan* expects."""
    facts, video = measured.facts, measured.facts.video
    if video is None:
        return (Check(name="readable", ok=False, measured=facts.fault or "no picture track"),)
    return (
        *_picture(plan.expected, video),
        *_clock(plan.expected, facts, video),
        *_sound(plan, facts),
        *_file(plan.expected, facts),
        *_content(plan, outcome, measured),
    )


def _picture(expected: ExpectedClip, video: VideoTrack) -> Iterator[Check]:
    size = f"{video.displayed}"
    yield _same("size", f"{expected.width_px}x{expected.height_px}", size)
    upright = video.orientation is Orientation.NORMAL and video.sample_aspect == 1
    yield Check(name="upright", ok=upright, measured=str(video.orientation))
    yield _same("video_codec", expected.video_codec, video.codec)
    yield _same("pixel_format", expected.pixel_format, video.pixel_format)
    if expected.route is Route.ENCODE:
        tags = (video.color_matrix, video.color_primaries, video.color_transfer)
        right = set(tags) == {"bt709"} and video.full_range is False
        yield Check(name="colour_tags", ok=right, measured=", ".join(str(tag) for tag in tags))


def _clock(expected: ExpectedClip, facts: Facts, video: VideoTrack) -> Iterator[Check]:
    yield _same("frames", expected.frames, len(video.table.pts))
    yield Check(
        name="time_stamps",
        ok=_on_grid(video, expected.frame_rate),
        measured=f"{len(video.table.pts)} on a grid of {expected.frame_rate} fps",
    )
    lengths = {
        "picture": video.duration_s,
        "picture, edits ignored": video.media_duration_s,
        "header": facts.duration_s_from_header,
    }
    if facts.audio is not None:
        lengths["sound"] = facts.audio.duration_s
        lengths["sound, edits ignored"] = facts.audio.media_duration_s
    known = {name: length for name, length in lengths.items() if length is not None}
    longest = max(known, key=lambda name: known[name], default="")
    complete = video.duration_s is not None and video.table.at_end
    yield Check(
        name="duration",
        ok=complete and known[longest] <= expected.max_duration_s,
        measured=f"{seconds_text(known[longest])} ({longest})" if known else "unknown",
    )
    plain = video.edit in (EditShape.NONE, EditShape.PLAIN)
    yield Check(name="video_edit_list", ok=plain, measured=video.edit.value)


def _on_grid(video: VideoTrack, rate: Fraction) -> bool:
    table = video.table
    step = 1 / (rate * table.time_base)
    return all(pts == n * step for n, pts in enumerate(sorted(table.pts)))


def _sound(plan: ClipPlan, facts: Facts) -> Iterator[Check]:
    audio = facts.audio
    yield _same("audio_codec", plan.expected.audio_codec, audio.codec if audio else None)
    if audio is None:
        return
    start = audio.start_s or Fraction(0)
    # An expected late start is filled with silence, so sound always begins with the picture.
    yield Check(name="audio_start", ok=abs(start) <= UNNOTICED_S, measured=seconds_text(start))
    plain = audio.edit in (EditShape.NONE, EditShape.PLAIN)
    yield Check(name="audio_edit_list", ok=plain, measured=audio.edit.value)
    there_s, expected_s = audio.duration_s, plan.audio.expected_s
    if there_s is not None and expected_s is not None:
        allowed_s = normal_loss_s(plan.audio.frame_samples, plan.audio.source_rate_hz)
        yield Check(
            name="audio_length",
            ok=expected_s - there_s <= allowed_s,
            measured=f"{seconds_text(there_s)}, the source has {seconds_text(expected_s)}",
        )


def _file(expected: ExpectedClip, facts: Facts) -> Iterator[Check]:
    yield _same("container", expected.container, facts.container)
    yield _same("index", IndexPlace.FIRST.value, facts.index.value)
    tracks = 1 if expected.audio_codec is None else 2
    yield _same("tracks", tracks, len(facts.streams))
    yield Check(
        name="private_metadata",
        ok=not facts.private_metadata,
        measured=", ".join(facts.private_metadata) or "none",
    )
    yield Check(
        name="size_bytes",
        ok=0 < facts.size_bytes <= expected.max_bytes,
        measured=str(facts.size_bytes),
    )


def _content(plan: ClipPlan, outcome: Outcome, measured: Measured) -> Iterator[Check]:
    if plan.route is not Route.ENCODE:
        same = outcome.picture_digests == measured.picture_digests
        yield Check(
            name="pictures_identical",
            ok=same and len(outcome.picture_digests) == plan.expected.frames,
            measured=f"{len(measured.picture_digests)} coded pictures",
        )
    if outcome.sound_digests and measured.sound_digests:
        yield Check(
            name="sound_identical",
            ok=outcome.sound_digests == measured.sound_digests,
            measured=f"{len(measured.sound_digests)} packets",
        )
    yield Check(
        name="decodes",
        ok=measured.decoded == measured.to_decode,
        measured=f"{measured.decoded} of {measured.to_decode} pictures",
    )
    yield Check(
        name="picture_order",
        ok=measured.in_order,
        measured="by time stamp" if measured.in_order else "not that of the time stamps",
    )
    sound = sound_check(measured)
    if sound is not None:
        yield sound


def sound_check(measured: Measured) -> Check | None:
    """Whether all of the sound decodes; ``None`` where it was not to be decoded."""
    audio, there_s, promised_s = (
        measured.facts.audio,
        measured.sound_s,
        measured.sound_to_decode_s,
    )
    if audio is None or there_s is None or promised_s is None:
        return None
    return Check(
        name="sound_decodes",
        ok=promised_s - there_s <= normal_loss_s(audio.frame_samples, audio.sample_rate_hz),
        measured=f"{seconds_text(there_s)} of {seconds_text(promised_s)}",
    )


def _same(name: str, wanted: object, found: object) -> Check:
    text = str(found) if wanted == found else f"{found}, expected {wanted}"
    return Check(name=name, ok=wanted == found, measured=text)
