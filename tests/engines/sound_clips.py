"""Clips for tests of sound: one picture track, made once, joined by ffmpeg with any sound.

The pictures are copied into each clip and out of it again: a clip costs a tenth of a second.
"""

from __future__ import annotations

import subprocess
import wave
from array import array
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import pytest

from fixtures import reading
from fixtures.clips import make_clip
from fixtures.sound import tone
from fixtures.spec import ClipSpec, Gop
from preprocess import ClipPlan, Intent, Options, Report, Target, process_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LENGTH_S = Fraction(12, 5)
PICTURES = ClipSpec(
    name="pictures", frames=60, frame_rate=Fraction(25), gop=Gop(length=25), sound=None
)
AAC = ("-c:a", "aac")
MOMENTS = (0.06, 1.2, 2.32)
"""Near the start, in the middle, near the end."""
IN_STEP_S = 0.025


def pictures(folder: Path) -> Path:
    """The picture track alone."""
    path = folder / "pictures.mp4"
    return path if path.exists() else make_clip(PICTURES, path)


def wave_file(
    folder: Path,
    rate: int = 48_000,
    channels: int = 2,
    *,
    start_s: Fraction = Fraction(0),
    length_s: Fraction = LENGTH_S,
) -> Path:
    """Sound that tells its time, uncompressed."""
    path = folder / f"{rate}-{channels}-{float(start_s)}-{float(length_s)}.wav"
    if not path.exists():
        with wave.open(str(path), "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(tone(rate, start_s, int(rate * length_s), channels=channels))
    return path


def ffmpeg(*arguments: object) -> None:
    """Run ffmpeg; a build without the encoder asked for skips the test."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if "Unknown encoder" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[0])
    assert done.returncode == 0, done.stderr


def joined(target: Path, sounds: Sequence[Path], *how: str, video: Sequence[str] = ()) -> Path:
    """The pictures and *sounds* in *target*; *how* goes to ffmpeg as it is."""
    inputs = [word for path in sounds for word in ("-i", path)]
    maps = [word for n in range(len(sounds)) for word in ("-map", f"{n + 1}:a")]
    coding = video or ("-c:v", "copy")
    ffmpeg("-i", pictures(target.parent), *inputs, "-map", "0:v", *maps, *coding, *how, target)
    return target


def prepared(source: Path, intent: Intent | None = None) -> Report:
    """What becomes of *source*, which has to become something."""
    report = attempted(source, intent)
    assert report.error is None, report.error
    return report


def attempted(source: Path, intent: Intent | None = None) -> Report:
    """What becomes of *source*."""
    output = source.with_name(f"{source.name}.result.mp4")
    options = Options(threads=1, force=True)
    return process_file(
        source, intent=intent or Intent(), target=Target(output=output), options=options
    )


def plan_of(report: Report) -> ClipPlan:
    """The plan of a clip."""
    assert isinstance(report.plan, ClipPlan)
    return report.plan


def rules(report: Report) -> list[str]:
    """What was said about the sound."""
    return [reason.rule for reason in report.reasons if reason.rule.startswith("audio.")]


def off_s(path: Path, moments: Sequence[float] = MOMENTS) -> list[float]:
    """How far the sound of *path* is out of step; positive: it tells a later time."""
    told = reading.sound_times(path, moments)
    assert None not in told, told
    return [(time or 0) - moment for time, moment in zip(told, moments, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Sound as a player gives it."""

    rate: int
    channels: int
    codec: str
    loudness: float
    """Root mean square of the middle second, all channels; full scale is 1."""
    peak: float


def heard(path: Path) -> Heard:
    """Decode the sound of *path* with ffmpeg."""
    streams = reading.stream_facts(path)["streams"]
    stream = next(s for s in streams if s["codec_type"] == "audio")
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a:0", "-f", "s16le", "-"]
    numbers = array("h", subprocess.run(command, check=True, capture_output=True).stdout)
    rate, channels = int(stream["sample_rate"]), int(stream["channels"])
    middle = numbers[rate * channels // 2 : rate * channels * 3 // 2]
    return Heard(
        rate=rate,
        channels=channels,
        codec=stream["codec_name"],
        loudness=(sum(n * n for n in middle) / len(middle)) ** 0.5 / 32_768,
        peak=max(map(abs, numbers)) / 32_768,
    )


def amr_clip(target: Path) -> Path:
    """A 3GP as phones of 2008 made it; the system's ffmpeg has no encoder for its sound."""
    if "libopencore_amrnb" not in av.codecs_available:
        pytest.skip("no AMR encoder")
    rate, frame = 8_000, 160
    samples = tone(rate, Fraction(0), int(rate * LENGTH_S))
    with av.open(pictures(target.parent)) as source, av.open(target, "w", format="3gp") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        sound = output.add_stream("libopencore_amrnb", rate=rate, layout="mono")
        sound.bit_rate = 12_200
        packets = []
        for n in range(0, len(samples) // 2, frame):
            piece = av.AudioFrame(format="s16", layout="mono", samples=frame)
            piece.planes[0].update(samples[2 * n : 2 * (n + frame)])
            piece.sample_rate, piece.pts = rate, n
            packets += sound.encode(piece)
        packets += sound.encode(None)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                packets.append(packet)
        for packet in sorted(packets, key=lambda p: (p.dts or 0) * p.time_base):
            output.mux(packet)
    return target
