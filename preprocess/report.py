"""Facts, plans and outcomes as JSON-able data: the contract of docs/json.md. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from preprocess.binary import Binary, Encoder, Engine
from preprocess.facts import AudioTrack, Dynamic, Facts, StillImage, VideoTrack
from preprocess.plan import (
    ClipPlan,
    Expected,
    ExpectedClip,
    ImagePlan,
    Plan,
    Reason,
    Rejection,
)
from preprocess.timing import clean_ends, find_cadence
from preprocess.verify import Check
from preprocess.window import shown_packets

SCHEMA = 1


class Status(StrEnum):
    """How work on one input ended."""

    UNCHANGED = "unchanged"
    PREPARED = "prepared"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why there is no result."""

    code: str
    message: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A route that was tried and what was wrong with its result."""

    route: str
    failed: str
    threads: int | None = None
    """Of each stage; ``None`` where that makes no difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRun:
    """What an ffmpeg program was told, and what it is."""

    binary: Binary
    encoder: Encoder
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole story of one input."""

    input: Path
    status: Status
    plan: Plan | None = None
    reasons: tuple[Reason, ...] = ()
    error: Problem | None = None
    facts: Facts | None = None
    output: Path | None = None
    """The ready file: the input itself where it was fine and stays where it is."""
    output_sha256: str | None = None
    """Of what was written; ``None`` where nothing was."""
    output_facts: Facts | None = None
    checks: tuple[Check, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    engine: EngineRun | None = None
    """The second engine, where it made the result."""
    timings_s: dict[str, float] = field(default_factory=dict)
    receipt: Path | None = None


def seconds(value: Fraction | None) -> float | None:
    """A time for JSON: seconds, to the microsecond."""
    return None if value is None else round(float(value), 6)


def rate(value: Fraction | None) -> str | None:
    """A rate for JSON: exact, ``30000/1001``."""
    return None if value is None else f"{value.numerator}/{value.denominator}"


def facts_data(facts: Facts) -> dict[str, object]:
    """Facts for JSON; every key is in docs/json.md."""
    video, audio = facts.video, facts.audio
    return {
        "kind": facts.kind.value,
        "container": facts.container,
        "description": facts.description,
        "size_bytes": facts.size_bytes,
        "fault": facts.fault,
        "fault_detail": facts.fault_detail,
        "brands": list(facts.brands),
        "index": facts.index.value,
        "encrypted": facts.encrypted,
        **_picture_data(facts),
        **_audio_data(audio),
        "streams": [
            {
                "index": stream.index,
                "kind": stream.kind,
                "codec": stream.codec,
                "disposition": list(stream.disposition),
                "language": stream.language,
            }
            for stream in facts.streams
        ],
        "private_metadata": list(facts.private_metadata),
        "from_header": {
            "duration_s": seconds(facts.duration_s_from_header),
            "video_duration_s": seconds(video.duration_s_from_header) if video else None,
            "frames": video.frames_from_header if video else None,
            "frame_rate": rate(video.frame_rate_from_header) if video else None,
        },
        "bytes_read": facts.bytes_read,
    }


def _picture_data(facts: Facts) -> dict[str, object]:
    """Of an animation what holds for all its pictures goes before what holds for the first."""
    image = _image_data(facts.image) if facts.image else {}
    video = _video_data(facts.video)
    return {**image, **video} if facts.video else {**video, **image}


def _image_data(image: StillImage) -> dict[str, object]:
    return {
        "width_px": image.displayed.width,
        "height_px": image.displayed.height,
        "coded_width_px": image.stored.width,
        "coded_height_px": image.stored.height,
        "rotation_deg": image.orientation.rotation_deg,
        "mirrored": image.orientation.mirrored,
        "pixel_format": image.mode,
        "bit_depth": image.bit_depth,
        "coding": image.coding,
        "alpha": image.alpha,
        "animated": image.animated,
        "color_profile": image.profile_name,
        "srgb": image.srgb,
        "color_primaries": image.primaries,
        "color_transfer": image.transfer,
        "hdr": image.dynamic is not Dynamic.SDR,
        "dynamic_range": image.dynamic.value,
    }


def _video_data(video: VideoTrack | None) -> dict[str, object]:
    if video is None:
        return dict.fromkeys(
            (
                *("duration_s", "width_px", "height_px", "rotation_deg", "sample_aspect"),
                *("frame_rate", "constant_rate", "frames", "video_codec", "pixel_format"),
                *("color_transfer", "hdr", "interlaced"),
            )
        )
    table = video.table
    found = find_cadence(
        sorted(set(shown_packets(table))),
        table.time_base,
        snap=Fraction(1, 200),
        rewrite_s=Fraction(1, 100),
        exact_s=Fraction(2, 1000),
    )
    return {
        "duration_s": seconds(video.duration_s),
        "media_duration_s": seconds(video.media_duration_s),
        "width_px": video.displayed.width,
        "height_px": video.displayed.height,
        "coded_width_px": video.coded.width,
        "coded_height_px": video.coded.height,
        "rotation_deg": video.orientation.rotation_deg if video.orientation else None,
        "mirrored": video.orientation.mirrored if video.orientation else None,
        "sample_aspect": f"{video.sample_aspect.numerator}:{video.sample_aspect.denominator}",
        "frame_rate": rate(found.rate) if found else None,
        "constant_rate": found is not None,
        "rate_deviation_s": seconds(found.deviation_s) if found else None,
        "frames": video.frames,
        "readable_frames": video.readable_frames,
        "left_out_frames": video.left_out,
        "lossy": video.lossy,
        "video_codec": video.codec,
        "video_profile": video.profile,
        "video_level": video.level,
        "decodable": video.decodable,
        "has_b_frames": video.has_b_frames,
        "bit_rate_bps": video.bit_rate_bps,
        "pixel_format": video.pixel_format,
        "uniform": video.uniform,
        "bit_depth": video.bit_depth,
        "alpha": video.alpha,
        **_colour_data(video),
        "interlaced": video.interlaced,
        "video_edit_list": video.edit.value,
        "time_base": f"{table.time_base.numerator}/{table.time_base.denominator}",
        "start_pts": table.origin_pts,
        "start_s": seconds(table.origin_pts * table.time_base),
        "keyframes": [
            {"at_s": seconds(table.since_origin_s(table.pts[sync.index])), "kind": sync.kind.value}
            for sync in table.sync
        ],
        "boundaries_s": _boundaries(video),
        "window": {"pictures": len(table.pts), "at_start": table.at_start, "at_end": table.at_end},
    }


def _colour_data(video: VideoTrack) -> dict[str, object]:
    return {
        "color_matrix": video.color_matrix,
        "color_primaries": video.color_primaries,
        "color_transfer": video.color_transfer,
        "full_range": video.full_range,
        "hdr": video.dynamic.value != "sdr",
        "dynamic_range": video.dynamic.value,
        "dolby_vision_profile": video.dolby_vision_profile,
    }


_BOUNDARIES_SHOWN = 8


def _boundaries(video: VideoTrack) -> list[float | None]:
    """The last clean boundaries of the window, as times from the first shown picture."""
    table = video.table
    ends = clean_ends(table.pts)
    if not table.at_end:
        ends = ends[:-1]
    times = [max(table.pts[:n]) + table.last_duration for n in ends[-_BOUNDARIES_SHOWN:]]
    return [seconds(table.since_origin_s(time)) for time in times]


def _audio_data(audio: AudioTrack | None) -> dict[str, object]:
    if audio is None:
        return dict.fromkeys(("audio_codec", "audio_channels", "audio_sample_rate_hz"))
    return {
        "audio_codec": audio.codec,
        "audio_profile": audio.profile,
        "audio_decodable": audio.decodable,
        "audio_channels": audio.channels,
        "audio_channel_layout": audio.channel_layout,
        "audio_sample_rate_hz": audio.sample_rate_hz,
        "audio_bit_rate_bps": audio.bit_rate_bps,
        "audio_start_s": seconds(audio.start_s),
        "audio_priming_s": seconds(audio.priming_s),
        "audio_duration_s": seconds(audio.duration_s),
        "audio_media_duration_s": seconds(audio.media_duration_s),
        "audio_gap_s": seconds(audio.gap_s),
        "audio_edit_list": audio.edit.value,
        "audio_spans": None
        if audio.spans is None
        else [
            {"start_s": seconds(span.start_s), "end_s": seconds(span.end_s)} for span in audio.spans
        ],
        "audio_readable_s": seconds(audio.readable_s),
        "audio_uneven": audio.uneven,
        "audio_passed_over": list(audio.passed_over),
    }


def reason_data(reason: Reason) -> dict[str, object]:
    """One reason for JSON."""
    return {
        "rule": reason.rule,
        "measured": reason.measured,
        "limit": reason.limit,
        "value": reason.value,
        "limit_value": reason.limit_value,
        "unit": reason.unit,
        "fix": reason.fix,
    }


def plan_data(plan: Plan) -> dict[str, object]:
    """A plan for JSON; what an image does not have is ``null``."""
    clip = plan if isinstance(plan, ClipPlan) else None
    image = plan if isinstance(plan, ImagePlan) else None
    encoding = image.encoding if image else None
    return {
        "route": plan.route.label,
        "start_s": seconds(clip.start_s) if clip else None,
        "expected": _expected_data(plan.expected, clip.expected if clip else None),
        "audio": clip.audio.action.value if clip else None,
        "short": clip.short.value if clip else None,
        "ratio": image.ratio if image else None,
        "quality": encoding.quality if encoding and plan.expected.container == "jpeg" else None,
        "chroma": "4:4:4" if encoding and plan.expected.container == "jpeg" else None,
        "price": None
        if plan.price is None
        else {
            "seconds": seconds(plan.price.seconds),
            "usd_per_second": dict(plan.price.usd_per_second),
            "usd": {
                name: round(per_s * float(plan.price.seconds), 4)
                for name, per_s in plan.price.usd_per_second.items()
            },
        },
    }


def _expected_data(expected: Expected, clip: ExpectedClip | None) -> dict[str, object]:
    return {
        "container": expected.container,
        "width_px": expected.width_px,
        "height_px": expected.height_px,
        "frame_rate": rate(clip.frame_rate) if clip else None,
        "frames": clip.frames if clip else None,
        "duration_s": seconds(clip.duration_s) if clip else None,
        "video_codec": clip.video_codec if clip else None,
        "pixel_format": clip.pixel_format if clip else None,
        "audio_codec": clip.audio_codec if clip else None,
        "max_bytes": expected.max_bytes,
    }


def decision_data(decision: Plan | Rejection) -> dict[str, object]:
    """Reasons and plan for JSON; the plan is ``null`` after a rejection."""
    return {
        "reasons": [reason_data(reason) for reason in decision.reasons],
        "plan": plan_data(decision) if isinstance(decision, Plan) else None,
    }


def report_data(report: Report) -> dict[str, object]:
    """A report for JSON, without ``type``, ``schema`` and ``index``, which belong to the caller."""
    done = report.status in (Status.UNCHANGED, Status.PREPARED)
    return {
        "input": str(report.input),
        "status": report.status.value,
        "route": report.plan.route.label if done and report.plan else None,
        "output": str(report.output) if report.output else None,
        "output_sha256": report.output_sha256,
        "reasons": [reason_data(reason) for reason in report.reasons],
        "error": None
        if report.error is None
        else {
            "code": report.error.code,
            "message": report.error.message,
            "detail": report.error.detail,
        },
        "facts": facts_data(report.facts) if report.facts else None,
        "output_facts": facts_data(report.output_facts) if report.output_facts else None,
        "checks": [
            {"name": check.name, "ok": check.ok, "measured": check.measured}
            for check in report.checks
        ],
        "attempts": [
            {"route": attempt.route, "failed": attempt.failed, "threads": attempt.threads}
            for attempt in report.attempts
        ],
        "engine": _engine_data(report.engine) if report.engine else None,
        "private_metadata": list(report.facts.private_metadata) if report.facts else [],
        "timings_s": {name: round(value, 6) for name, value in report.timings_s.items()},
        "receipt": str(report.receipt) if report.receipt else None,
    }


def _engine_data(run: EngineRun) -> dict[str, object]:
    binary = run.binary
    return {
        "name": Engine.FFMPEG.value,
        "binary": binary.path,
        "binary_version": binary.version,
        "binary_encoders": sorted(binary.encoders),
        "binary_filters": sorted(binary.filters),
        "encoder": run.encoder.value,
        "command": list(run.command),
    }
