"""Rules about the sound, and what becomes of it. Pure; one function a decision."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.facts import AudioTrack, EditShape
from preprocess.intent import AudioChoice
from preprocess.plan import AudioAction, AudioPlan, Reason, Route, ShortAction
from preprocess.rules.finding import Case, Change, Finding, Obstacle
from preprocess.timing import seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from preprocess.profiles.model import TargetVideo

_USUAL_FRAME = 1024
_MONO_BPS, _STEREO_BPS = 96_000, 160_000
"""FFmpeg's own AAC encoder is transparent enough for speech and music at these rates."""
UNNOTICED_S = Fraction(25, 1000)
"""Sound may come this much early: noticed from 45 ms on (ITU-R BT.1359-1, 1998). One frame of AAC
at 44.1 kHz is 23 ms."""
COPYABLE = frozenset({"aac", "mp3"})
"""What we copy into MP4; readers everywhere take these there."""


_NORMAL_LOSS_S = Fraction(1, 10)
_NORMAL_LOSS_PACKETS = 2
"""What may be missing in all of a window. Decoders need a packet or two to find their feet where a
stream was cut: up to 52 ms of MP3 (its bit reservoir), 80 ms of Opus (RFC 7845, 4.6)."""


def normal_loss_s(frame_samples: int | None, rate_hz: int | None) -> Fraction:
    """How much of a window's sound may be missing without anything being wrong."""
    packet_s = Fraction(frame_samples or 0, rate_hz or 1)
    return max(_NORMAL_LOSS_S, _NORMAL_LOSS_PACKETS * packet_s)


def frame_s(audio: AudioTrack) -> Fraction:
    """Length of one packet."""
    return Fraction(audio.frame_samples or _USUAL_FRAME, audio.sample_rate_hz or 44_100)


def presence(case: Case) -> Iterable[Finding]:
    """Sound that is not wanted, or that nobody can read, is left out."""
    audio = case.audio
    if audio is None:
        return
    if case.intent.audio is AudioChoice.DROP:
        yield Change(
            Reason(
                rule="audio.unwanted",
                measured=audio.codec,
                limit="none",
                fix="left out as asked",
            ),
            Route.REWRAP,
        )
    elif is_outside(case):
        yield Change(
            Reason(
                rule="audio.outside",
                measured="nothing is heard during the window",
                limit="sound with the picture",
                fix="left out",
            ),
            Route.REWRAP,
        )
    elif not is_kept(case):
        yield _undecodable(audio.codec or "unknown", "left out: nothing here reads it")
    elif audio.passed_over:
        yield _undecodable(", ".join(audio.passed_over), f"track {audio.stream} taken instead")


def _undecodable(measured: str, fix: str) -> Change:
    return Change(
        Reason(
            rule="audio.undecodable",
            measured=measured,
            limit="a codec that can be read",
            value=measured,
            fix=fix,
        ),
        Route.REWRAP,
    )


def complete(case: Case) -> Iterable[Finding]:
    """All bytes of the sound are in the file."""
    audio = case.audio
    if audio is None or not is_kept(case):
        return
    if audio.readable_s is None or audio.window_s is None:
        return
    there, promised = seconds_text(audio.readable_s), seconds_text(audio.window_s)
    yield Obstacle(
        Reason(
            rule="input.truncated",
            measured=f"{there} of {promised} of the sound of the window is there",
            limit="all of it",
            value=round(float(audio.readable_s), 6),
            limit_value=round(float(audio.window_s), 6),
            unit="s",
            fix="download or copy the file again, or leave the sound out (--audio drop)",
        )
    )


def codec(case: Case) -> Iterable[Finding]:
    """The sound is coded in an accepted way for its container."""
    audio = case.audio
    if audio is None or not is_kept(case):
        return
    container = case.facts.container or ""
    accepted = case.accept.audio_codecs.get(container) or case.accept.audio_codecs.get(
        case.target.container, frozenset()
    )
    if audio.codec not in accepted:
        yield _encode(case, "audio.codec", audio.codec, " or ".join(sorted(accepted)))


def timing(case: Case) -> Iterable[Finding]:
    """The sound starts with the picture, has no holes and no edits but its priming."""
    audio = case.audio
    if audio is None or not is_kept(case):
        return
    frame = frame_s(audio)
    if is_late(audio):
        late = audio.start_s or Fraction(0)
        yield _encode(
            case, "audio.start", f"{seconds_text(late)} after the picture", "with the picture",
            fix="silence put before it",
        )  # fmt: skip
    if audio.gap_s > frame:
        yield _encode(
            case, "audio.gaps", f"holes of {seconds_text(audio.gap_s)} in all", "no holes",
            fix="holes filled with silence",
        )  # fmt: skip
    if audio.edit in (EditShape.TRIMS, EditShape.COMPLEX) and not is_late(audio):
        yield Change(
            Reason(
                rule="audio.edit_list",
                measured="hides or delays sound",
                limit="one edit that hides the encoder's priming",
                value=audio.edit.value,
                fix="applied",
            ),
            Route.REWRAP,
        )


def uneven(case: Case) -> Iterable[Change]:
    """Packets that are to be copied follow each other; asked only where something is written."""
    audio = case.audio
    if audio is not None and is_kept(case) and not _is_even(audio):
        yield _encode(
            case, "audio.uneven", audio.uneven or "packets of changing length",
            "packets that can be copied one after the other",
        )  # fmt: skip


def length(case: Case) -> Iterable[Finding]:
    """The sound ends with the picture."""
    audio = case.audio
    if audio is None or not is_kept(case) or not case.chosen.whole:
        return
    if audio.duration_s is None or case.video.duration_s is None:
        return
    end = (audio.start_s or Fraction(0)) + audio.duration_s
    if end > case.video.duration_s + frame_s(audio):
        yield Change(
            Reason(
                rule="audio.length",
                measured=f"ends {seconds_text(end - case.video.duration_s)} after the picture",
                limit="at most one frame after it",
                value=float(end),
                limit_value=float(case.video.duration_s),
                unit="s",
                fix="ended with the picture",
            ),
            Route.REWRAP,
        )


def _is_even(audio: AudioTrack) -> bool:
    """Whether its packets may be copied one after the other, where they are of a copied codec."""
    return audio.codec not in COPYABLE or (audio.uneven is None and audio.frame_samples is not None)


def is_late(audio: AudioTrack) -> bool:
    """Whether the sound starts so long after the picture that moving it there would be noticed."""
    return (audio.start_s or Fraction(0)) > UNNOTICED_S


def is_outside(case: Case) -> bool:
    """Whether all of the sound lies before or after the part that is taken."""
    audio, chosen = case.audio, case.chosen
    if audio is None or audio.spans is None:
        return False
    end_s = chosen.start_s + max(chosen.frames / chosen.rate, case.target.min_duration_s)
    return not sum(span.shared_s(chosen.start_s, end_s) for span in audio.spans)


def is_kept(case: Case) -> bool:
    """Whether the sound is part of the result."""
    audio = case.audio
    return bool(
        audio
        and case.intent.audio is AudioChoice.KEEP
        and audio.decodable
        and not is_outside(case)
        and audio.sample_rate_hz
        and audio.channels
    )


def _encode(case: Case, rule: str, measured: str, limit: str, fix: str | None = None) -> Change:
    return Change(
        Reason(
            rule=rule,
            measured=measured,
            limit=limit,
            value=measured if rule == "audio.codec" else None,
            limit_value=case.target.audio_codec if rule == "audio.codec" else None,
            fix=fix or f"encoded as {case.target.audio_codec}",
        ),
        Route.REWRAP,
    )


def plan_audio(
    case: Case, short: ShortAction, *, start_s: Fraction, duration_s: Fraction
) -> AudioPlan:
    """What the sound of a rewritten result is made of, whose picture is taken from *start_s* on."""
    audio = case.audio
    if audio is None or not is_kept(case):
        return AudioPlan(action=AudioAction.DROP)
    copied = (
        audio.codec in COPYABLE
        and audio.codec in case.accept.audio_codecs.get(case.target.container, ())
        and short is not ShortAction.LOOP
        and audio.edit is not EditShape.COMPLEX
        and not is_late(audio)
        and audio.gap_s <= frame_s(audio)
        and _is_even(audio)
    )
    plan = AudioPlan(
        action=AudioAction.COPY,
        stream=audio.stream,
        sample_rate_hz=audio.sample_rate_hz,
        channels=audio.channels,
        source_rate_hz=audio.sample_rate_hz,
        frame_samples=audio.frame_samples,
        expected_s=_expected_s(case, audio, short, start_s, duration_s),
    )
    if copied:
        return plan
    channels = min(audio.channels or 1, case.target.max_audio_channels)
    return replace(
        plan,
        action=AudioAction.ENCODE,
        sample_rate_hz=_target_rate(audio.sample_rate_hz or 48_000, case.target),
        channels=channels,
        bit_rate_bps=_MONO_BPS if channels == 1 else _STEREO_BPS,
    )


def _expected_s(
    case: Case, audio: AudioTrack, short: ShortAction, start_s: Fraction, duration_s: Fraction
) -> Fraction | None:
    """Seconds of sound that packets promise for the result; each repetition has its own."""
    if audio.spans is None:
        return None
    pass_s = case.chosen.frames / case.chosen.rate if short is ShortAction.LOOP else duration_s
    expected_s, left_s = Fraction(0), duration_s
    while left_s > 0:
        end_s = start_s + min(pass_s, left_s)
        expected_s += sum(span.shared_s(start_s, end_s) for span in audio.spans)
        left_s -= pass_s
    return expected_s


def _target_rate(rate: int, target: TargetVideo) -> int:
    allowed = target.audio_sample_rates_hz
    if rate in allowed:
        return rate
    # An integer ratio needs no interpolation between the two families of rates.
    related = [r for r in allowed if r % rate == 0 or rate % r == 0]
    return max(related or allowed)
