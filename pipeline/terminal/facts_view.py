"""What a file is, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.terminal.text import bytes_text, clean, number_text, seconds_text
from preprocess import facts_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from preprocess import Facts, StillImage

_SQUARE = 1


def fact_lines(facts: Facts, *, verbose: bool) -> Iterator[tuple[str, str]]:
    """A label and a text for each kind of fact that is known; *verbose* adds the rare ones."""
    data = facts_data(facts)
    yield "what", f"{facts.description}, {bytes_text(facts.size_bytes)}"
    if facts.fault is not None:
        yield "fault", ": ".join(filter(None, (facts.fault, facts.fault_detail)))
    if facts.video is not None and facts.video.readable_frames is not None:
        there, of = facts.video.readable_frames, len(facts.video.table.pts)
        yield (
            "fault",
            f"bytes are missing: {max(there, 0)} of {of} pictures of the window are there",
        )
    yield from _picture(facts, data)
    yield from _sound(facts)
    if facts.streams:
        kinds = [f"{each.index} {each.kind} {each.codec or 'unknown'}" for each in facts.streams]
        yield "tracks", ", ".join(kinds)
    if facts.index.value != "none":
        yield "index", facts.index.value
    if facts.encrypted:
        yield "encrypted", "yes"
    if facts.private_metadata:
        yield "private", ", ".join(facts.private_metadata)
    if verbose:
        yield from _rare(facts, data)


def _still(image: StillImage) -> Iterator[tuple[str, str]]:
    parts = [f"{image.displayed}"]
    if image.orientation.rotation_deg:
        parts.append(f"turned {image.orientation.rotation_deg} degrees")
    if image.orientation.mirrored:
        parts.append("mirrored")
    if image.animated:
        parts.append("animated")
    yield "picture", ", ".join(parts)
    colour = [image.mode, f"{image.bit_depth} bits", image.profile_name or "no profile"]
    if image.alpha:
        colour.append("transparency")
    yield "colour", ", ".join(colour)


def _picture(facts: Facts, data: dict[str, object]) -> Iterator[tuple[str, str]]:
    video = facts.video
    if facts.image is not None:
        yield from _still(facts.image)
    if video is None:
        return
    parts = [_codec(video.codec, video.profile), f"{video.displayed}"]
    if video.coded != video.displayed:
        parts[-1] += f" (stored {video.coded})"
    turned = video.orientation
    if turned is not None and turned.rotation_deg:
        parts.append(f"turned {turned.rotation_deg} degrees")
    if turned is not None and turned.mirrored:
        parts.append("mirrored")
    if video.sample_aspect != _SQUARE:
        aspect = video.sample_aspect
        parts.append(f"pixels {aspect.numerator}:{aspect.denominator}")
    yield "picture", ", ".join(parts)
    yield "time", ", ".join(_time(facts, data))
    yield "colour", ", ".join(_colour(facts))


def _codec(codec: str, profile: str | None) -> str:
    return f"{codec} {profile}" if profile else codec


def _time(facts: Facts, data: dict[str, object]) -> Iterator[str]:
    video = facts.video
    if video is None:
        return
    yield _length(video.duration_s, video.duration_s_from_header)
    if data["frame_rate"] is not None:
        numerator, denominator = str(data["frame_rate"]).split("/")
        yield f"{number_text(int(numerator) / int(denominator))} fps"
    else:
        yield "no constant rate"
    if video.frames is not None:
        yield f"{video.frames} pictures"


def _length(measured: Fraction | None, claimed: Fraction | None) -> str:
    if measured is not None:
        return seconds_text(measured)
    return f"{seconds_text(claimed)} says the header" if claimed is not None else "length unknown"


def _colour(facts: Facts) -> Iterator[str]:
    video = facts.video
    if video is None:
        return
    yield video.pixel_format or "unknown pixel format"
    named = (video.color_primaries, video.color_transfer, video.color_matrix)
    names = dict.fromkeys(name for name in named if name)
    yield "/".join(names) or "untagged"
    if video.full_range is not None:
        yield "full range" if video.full_range else "limited range"
    yield (
        "SDR"
        if video.dynamic.value == "sdr"
        else f"HDR ({video.dynamic.value.upper().replace('_', ' ')})"
    )
    if video.interlaced:
        yield "interlaced"
    if video.alpha:
        yield "transparency"


def _sound(facts: Facts) -> Iterator[tuple[str, str]]:
    audio = facts.audio
    if audio is None:
        return
    parts = [_codec(audio.codec, audio.profile)]
    if audio.channels:
        parts.append("mono" if audio.channels == 1 else f"{audio.channels} channels")
    if audio.sample_rate_hz:
        parts.append(f"{audio.sample_rate_hz} Hz")
    if audio.duration_s is not None:
        parts.append(seconds_text(audio.duration_s))
    if audio.start_s:
        late = audio.start_s > 0
        parts.append(f"starts {seconds_text(abs(audio.start_s))} {'late' if late else 'early'}")
    if not audio.decodable:
        parts.append("not readable here")
    yield "sound", ", ".join(parts)


def _rare(facts: Facts, data: dict[str, object]) -> Iterator[tuple[str, str]]:
    if facts.brands:
        yield "brands", ", ".join(facts.brands)
    for label, key in (
        ("time base", "time_base"),
        ("edit list", "video_edit_list"),
        ("off the grid", "rate_deviation_s"),
        ("clean ends", "boundaries_s"),
        ("seen", "window"),
        ("header", "from_header"),
        ("bytes read", "bytes_read"),
    ):
        if data.get(key) not in (None, []):
            yield label, _plain(data[key])


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(each) for each in value)
    return "unknown" if value is None else clean(str(value))
