"""Transparency of clips is laid on white, without a dark fringe, whatever carries it."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
import pytest

from fixtures import reading
from preprocess import ClipPlan, Options, Target, probe_file, process_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.video.stream import VideoStream

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")
WIDTH, HEIGHT, PICTURES, RATE = 320, 192, 48, 24
CARRIERS = {
    "vp9 in webm": ("webm", "libvpx-vp9", "yuva420p"),
    "vp8 in matroska": ("matroska", "libvpx", "yuva420p"),
    "png in mov": ("mov", "png", "rgba"),
    "animation in mov": ("mov", "qtrle", "argb"),
    "prores 4444 in mov": ("mov", "prores_ks", "yuva444p10le"),
    "rgba in avi": ("avi", "rawvideo", "bgra"),
}
QUARTERS = ((200, 40, 40, 255), (40, 160, 40, 128), (0, 0, 0, 0), (40, 40, 200, 64))
"""From left to right, colour and opacity; what is clear is black, as most programs leave it."""


def pixels(place: Callable[[int], tuple[int, int, int, int]]) -> bytes:
    """A picture that is the same in all rows."""
    return b"".join(bytes(place(x)) for x in range(WIDTH)) * HEIGHT


def clip(path: Path, carrier: str, picture: bytes) -> Path:
    container, codec, pixel_format = CARRIERS[carrier]
    with av.open(str(path), "w", format=container) as output:
        stream = cast("VideoStream", output.add_stream(codec, rate=RATE))
        context = stream.codec_context
        context.width, context.height = WIDTH, HEIGHT
        context.pix_fmt, context.thread_count = pixel_format, 1
        if codec.startswith("libvpx"):
            context.bit_rate = 4_000_000
            context.options = {"auto-alt-ref": "0", "deadline": "realtime", "cpu-used": "8"}
            stream.metadata["alpha_mode"] = "1"
        for number in range(PICTURES):
            frame = av.VideoFrame.from_bytes(picture, WIDTH, HEIGHT, format="rgba")
            frame = frame.reformat(format=pixel_format, dst_colorspace="itu601")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def row(path: Path, frame: int = 24) -> list[tuple[int, int, int]]:
    """The middle row of a picture, as many pixels as the source has."""
    scale = f"select=eq(n\\,{frame}),scale={WIDTH}:2:flags=area,crop={WIDTH}:1:0:0"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", scale, "-frames:v", "1"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    return [(data[at], data[at + 1], data[at + 2]) for at in range(0, len(data), 3)]


def made(source: Path) -> Path:
    output = source.parent / "out.mp4"
    report = process_file(source, target=Target(output=output), options=Options(threads=1))
    assert isinstance(report.plan, ClipPlan), report.error
    assert "video.alpha" in {reason.rule for reason in report.reasons}
    return output


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_is_behind_is_white(carrier: str, tmp_path: Path) -> None:
    source = clip(tmp_path / "a", carrier, pixels(lambda x: QUARTERS[4 * x // WIDTH]))
    found = row(made(source))

    for number, (*colour, opacity) in enumerate(QUARTERS):
        wanted = [round(each * opacity / 255 + 255 - opacity) for each in colour]
        seen = found[WIDTH * (2 * number + 1) // 8]
        assert max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) <= 10, (number, seen)


@pytest.mark.parametrize("carrier", ["vp9 in webm", "png in mov"])
def test_an_edge_has_no_dark_fringe(carrier: str, tmp_path: Path) -> None:
    """Scaled before it is laid on white, the black of what is clear would show."""
    bright = (250, 240, 230, 255)
    picture = pixels(lambda x: bright if x // 20 % 2 else (0, 0, 0, 0))
    found = row(made(clip(tmp_path / "a", carrier, picture)))

    assert min(min(pixel) for pixel in found) > 200


def test_a_promise_of_alpha_is_not_alpha(tmp_path: Path) -> None:
    """Browsers write ``alpha_mode`` into recordings that have none."""
    container, codec, _ = CARRIERS["vp9 in webm"]
    path = tmp_path / "a.webm"
    with av.open(str(path), "w", format=container) as output:
        added = output.add_stream(codec, rate=RATE, options={"deadline": "realtime"})
        stream = cast("VideoStream", added)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.metadata["alpha_mode"] = "1"
        for number in range(3):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    facts = probe_file(path)

    assert facts.video is not None
    assert not facts.video.alpha
