"""Judging results by an independent reader: Debian's ffprobe, never our own probe."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fixtures import reading

if TYPE_CHECKING:
    from pathlib import Path

    from preprocess import Profile

MAX_SKEW_S = 0.045
"""Sound against picture: one AAC frame of the result's start, and the reader's own rounding."""
_PRIVATE = (
    *("location", "com.apple.quicktime", "make", "model", "artist", "author", "title", "comment"),
    *("creation_time", "date", "copyright", "xyz"),
)


def accept_objections(path: Path, profile: Profile, limits: str = "safe") -> list[str]:
    """What the accept table says against the file at *path*, as ffprobe sees it."""
    accept = profile.accept(limits)  # type: ignore[arg-type]
    answer = reading.stream_facts(path)
    streams = answer["streams"]
    videos = [s for s in streams if s["codec_type"] == "video"]
    sounds = [s for s in streams if s["codec_type"] == "audio"]
    if len(videos) != 1 or len(sounds) > 1 or len(streams) != len(videos) + len(sounds):
        return [f"streams: {[s['codec_type'] for s in streams]}"]
    video = videos[0]
    width, height = int(video["width"]), int(video["height"])
    rate = Fraction(video["r_frame_rate"])
    told = {
        "container": "mp4" in answer["format"]["format_name"],
        "codec": video["codec_name"] in accept.video_codecs,
        "pixel format": video["pix_fmt"] in accept.pixel_formats,
        "area": accept.min_area_px <= width * height <= accept.max_area_px,
        "even": width % 2 == 0 and height % 2 == 0,
        "aspect": accept.min_aspect <= Fraction(width, height) <= accept.max_aspect,
        "square pixels": video.get("sample_aspect_ratio", "1:1") in ("1:1", "N/A", "0:1"),
        "rotation": not any("rotation" in data for data in video.get("side_data_list", [])),
        "progressive": video.get("field_order", "progressive") in ("progressive", "unknown"),
        "sdr": video.get("color_transfer") not in ("smpte2084", "arib-std-b67"),
        "rate": accept.min_rate <= rate <= accept.max_rate,
        "bytes": int(answer["format"]["size"]) <= accept.max_bytes,
        "sound codec": all(s["codec_name"] in {"aac", "mp3"} for s in sounds),
        "chapters": not answer["chapters"],
        "metadata": not list(_private_tags(answer)),
    }
    told.update(_durations(path, answer, accept))
    told["constant"] = is_constant(path, rate)
    return [name for name, fine in told.items() if not fine]


def _private_tags(answer: dict[str, Any]) -> list[str]:
    tags = dict(answer["format"].get("tags", {}))
    for stream in answer["streams"]:
        tags.update(stream.get("tags", {}))
    return [key for key in tags if any(word in key.lower() for word in _PRIVATE)]


def _durations(path: Path, answer: dict[str, Any], accept: Any) -> dict[str, bool]:  # noqa: ANN401
    cap = accept.max_duration_s
    ends = [
        *reading.track_end_s(path).values(),
        *reading.track_end_s(path, ignore_editlist=True).values(),
    ]
    said = [Fraction(answer["format"]["duration"])]
    said += [Fraction(s["duration"]) for s in answer["streams"] if "duration" in s]
    video = next(s["index"] for s in answer["streams"] if s["codec_type"] == "video")
    picture = reading.track_end_s(path)[video]
    return {
        "measured durations": all(end <= cap for end in ends),
        "header durations": all(length <= cap for length in said),
        # A header's milliseconds round down.
        "shortest": picture >= accept.min_duration_s - Fraction(1, 1000),
    }


def is_constant(path: Path, rate: Fraction) -> bool:
    """Whether every picture lies within 2 ms of a grid of *rate*, edits honoured or ignored."""
    for ignore in (False, True):
        rows = reading.packet_table(path, ignore_editlist=ignore)
        if any("D" in row.flags for row in rows):
            return False
        times = sorted(row.pts * row.time_base for row in rows if row.pts is not None)
        if len(times) != len(rows):
            return False
        if any(abs(t - times[0] - n / rate) > Fraction(2, 1000) for n, t in enumerate(times)):
            return False
    return True
