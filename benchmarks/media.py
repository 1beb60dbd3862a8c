"""Clips the benchmarks run on, made once into a folder."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import av
import av.filter

from fixtures.clips import make_clip
from fixtures.long_clip import make_long_clip
from fixtures.spec import ClipSpec, Gop, Sound, Timing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av import VideoFrame
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_GIB = 1 << 30
_BT2020, _HLG = 9, 18  # ITU-T H.273
_UHD = "size=3840x2160"
LONG_BYTES = 3 * _GIB


def long_compliant(folder: Path) -> Path:
    """Ten minutes inside the accept table but for their length."""
    return _made(folder / "ten-minutes.mp4", lambda path: make_long_clip(path, 600))


def two_hours(folder: Path) -> Path:
    """Two hours in three gigabytes, index first."""
    return _made(
        folder / "two-hours.mp4", lambda path: make_long_clip(path, 7200, size_bytes=LONG_BYTES)
    )


def fifteen_seconds(folder: Path) -> Path:
    """As `two_hours`, a little over the cap."""
    return _made(
        folder / "sixteen-seconds.mp4",
        lambda path: make_long_clip(path, 16, size_bytes=LONG_BYTES * 16 // 7200),
    )


def compliant(folder: Path) -> Path:
    """Eight seconds that need nothing."""
    return _made(folder / "eight-seconds.mp4", lambda path: make_long_clip(path, 8))


def full_hd(folder: Path, jitter_ms: int = 0) -> Path:
    """Twelve seconds of moving 1080p30, on a constant grid or around it."""
    spec = ClipSpec(
        name="full-hd",
        frames=360,
        frame_rate=Fraction(30),
        width=1920,
        height=1080,
        preset="superfast",
        quality=20,
        gop=Gop(length=60, b_frames=2),
        sound=replace(Sound(), sample_rate=48_000),
        timing=Timing(jitter_ms=jitter_ms),
    )
    return _made(folder / f"full-hd-{jitter_ms}.mp4", lambda path: make_clip(spec, path))


def hdr_4k(folder: Path) -> Path:
    """Three seconds of 4K30 in HLG, as iPhones film: HEVC with B-frames, 170 MB a minute."""
    return _made(folder / "hdr-4k.mp4", _hdr_4k)


def uhd_60(folder: Path) -> Path:
    """Four seconds of grainy 4K60, as phones film: H.264, 8 bits, 400 MB a minute."""
    return _made(folder / "uhd-60.mp4", _uhd_60)


def _hdr_4k(path: Path) -> None:
    pictures = _pictures(("testsrc2", f"{_UHD}:rate=30"), ("format", "yuv420p10le"))
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("libx265", rate=30)
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = _BT2020, _HLG, _BT2020
        context.color_range = 1
        context.codec_tag = "hvc1"
        context.bit_rate = 170_000_000 * 8 // 60
        context.options = {
            "preset": "ultrafast",
            "x265-params": "log-level=none:b-adapt=0:bframes=2",
        }
        _encode(output, stream, islice(pictures, 90))


def _uhd_60(path: Path) -> None:
    grain = "noise", "alls=6:allf=t"
    pictures = _pictures(("testsrc2", f"{_UHD}:rate=60"), ("format", "yuv420p"), grain)
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=60)
        context = stream.codec_context
        context.bit_rate = 400_000_000 * 8 // 60
        # A phone's encoder: CABAC, no B-frames, the loop filter on.
        context.options = {"preset": "superfast", "x264-params": "bframes=0:cabac=1:keyint=60"}
        _encode(output, stream, islice(pictures, 240))


def _pictures(*filters: tuple[str, str]) -> Iterator[VideoFrame]:
    """What a chain of filters that begins with a source gives."""
    graph = av.filter.Graph()
    chain = [graph.add(name, options) for name, options in filters]
    chain.append(graph.add("buffersink"))
    for one, other in pairwise(chain):
        one.link_to(other)
    graph.configure()
    while True:
        yield graph.vpull()


def _encode(output: OutputContainer, stream: VideoStream, pictures: Iterable[VideoFrame]) -> None:
    for number, picture in enumerate(pictures):
        if not number:
            context = stream.codec_context
            context.width, context.height = picture.width, picture.height
            context.pix_fmt = picture.format.name
        output.mux(stream.encode(picture))
    output.mux(stream.encode(None))


def _made(path: Path, make: object) -> Path:
    if not path.exists():
        temporary = path.with_name(f"making-{path.name}")
        make(temporary)  # type: ignore[operator]
        temporary.rename(path)
    return path
