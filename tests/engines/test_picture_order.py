"""Pictures come in their own order where a container, or whoever copied from it, invents times."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av
import pytest

from fixtures import reading
from fixtures.clips import make_clip
from fixtures.frames import read_number
from fixtures.spec import ClipSpec, Closure, Container, Gop, Pyramid
from preprocess import (
    ClipPlan,
    Intent,
    Options,
    Report,
    Route,
    Target,
    VerifyLevel,
    Window,
    WindowKind,
    probe_file,
    process_file,
)
from preprocess.job import VerifyRequest
from preprocess.probe.readback import read_back

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to copy clips with")

FRAMES = 120
PYRAMID = Gop(length=60, b_frames=3, pyramid=Pyramid.NORMAL, references=4)
OPEN = Gop(length=60, b_frames=2, closure=Closure.OPEN, references=4)
ANNEX_B = ("-c", "copy", "-vtag", "H264", "-bsf:v", "h264_mp4toannexb")
COPY = ("-c", "copy")


def ffmpeg(source: Path, target: Path, *how: str) -> Path:
    command = ["ffmpeg", "-v", "error", "-y", "-fflags", "+genpts", "-i", str(source)]
    subprocess.run([*command, *how, str(target)], check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("order")


def clip(folder: Path, gop: Gop = PYRAMID, frames: int = FRAMES) -> Path:
    """A numbered clip that could be kept as it is."""
    path = folder / f"{gop.closure}-{gop.b_frames}-{frames}.mp4"
    if not path.exists():
        spec = ClipSpec(
            name="source",
            frames=frames,
            frame_rate=Fraction(30),
            width=854,
            height=480,
            container=Container.MP4,
            gop=gop,
            sound=None,
        )
        make_clip(spec, path)
    return path


def numbers_by_time(path: Path) -> list[int | None]:
    """The numbers of the pictures as a player shows them: each at its time stamp."""
    with av.open(path) as container:
        frames = [frame.reformat(format="gray") for frame in container.decode(video=0)]
    planes = [(frame.pts or 0, frame, frame.planes[0]) for frame in frames]
    return [
        read_number(bytes(plane), frame.width, frame.height, plane.line_size)
        for _, frame, plane in sorted(planes, key=lambda found: found[0])
    ]


def prepared(source: Path, folder: Path, window: Window | None = None) -> Report:
    report = process_file(
        source,
        intent=Intent(window=window),
        target=Target(directory=folder, stem=f"out-{source.stem}-{source.suffix[1:]}"),
        options=Options(force=True),
    )
    assert report.error is None, report.error
    return report


@pytest.mark.parametrize(
    ("suffix", "how"),
    [(".avi", COPY), (".avi", ANNEX_B), (".asf", COPY), (".wmv", COPY)],
    ids=["avi", "avi-annex-b", "asf", "wmv"],
)
@pytest.mark.parametrize("gop", [PYRAMID, OPEN], ids=["pyramid", "open"])
def test_times_of_decoding_are_not_taken_for_times_of_showing(
    gop: Gop, suffix: str, how: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    source = ffmpeg(clip(folder, gop), tmp_path / f"times{suffix}", *how)
    report = prepared(source, tmp_path)

    assert report.output is not None
    assert report.attempts == ()
    assert numbers_by_time(report.output) == list(range(FRAMES))


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [*(("libx264", suffix) for suffix in (".mp4", ".mkv", ".ts", ".flv")), ("libx265", ".ts")],
)
def test_a_copy_of_such_a_clip_is_neither_kept_nor_copied(
    codec: str, suffix: str, folder: Path, tmp_path: Path
) -> None:
    """The index of an MP4 is as good as any, and its times were invented by whoever made it."""
    how = COPY if codec == "libx264" else ("-c:v", codec, "-x265-params", "log-level=none")
    avi = ffmpeg(clip(folder), tmp_path / "times.avi", *how, "-vtag", codec[3:].upper())
    report = prepared(ffmpeg(avi, tmp_path / f"copy{suffix}", "-c", "copy", "-vtag", "0"), tmp_path)

    assert isinstance(report.plan, ClipPlan)
    assert report.plan.route is Route.ENCODE
    assert "video.timestamps" in {reason.rule for reason in report.reasons}
    assert report.output is not None
    assert numbers_by_time(report.output) == list(range(FRAMES))


@pytest.mark.parametrize("suffix", [".avi", ".wmv", ".mkv"])
@pytest.mark.parametrize("gop", [PYRAMID, OPEN], ids=["pyramid", "open"])
def test_a_window_begins_where_it_should(
    gop: Gop, suffix: str, folder: Path, tmp_path: Path
) -> None:
    """Which picture a decoder gives first after a jump is known by counting alone."""
    source = ffmpeg(
        clip(folder, gop, 360), tmp_path / f"long{'.avi' if suffix == '.mkv' else suffix}", *COPY
    )
    if suffix == ".mkv":
        source = ffmpeg(source, tmp_path / "long.mkv", *COPY)
    window = Window(kind=WindowKind.SPAN, start_s=Fraction(8), end_s=Fraction(11))
    report = prepared(source, tmp_path, window)

    assert report.output is not None
    assert numbers_by_time(report.output) == list(range(240, 330))


def test_packed_pictures_come_out_in_order(folder: Path, tmp_path: Path) -> None:
    """Xvid puts a B-frame into the packet of its successor, and an empty picture in its place."""
    packed = ("-c:v", "libxvid", "-bf", "2", "-q:v", "1")
    source = ffmpeg(clip(folder), tmp_path / "xvid.avi", *packed)
    report = prepared(source, tmp_path)

    assert report.output is not None
    # The encoder leaves a few unreadable, and keeps its last ones.
    shown = [number for number in numbers_by_time(report.output) if number is not None]
    assert shown == sorted(shown)
    assert len(set(shown)) >= FRAMES - 8


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mp4"])
def test_what_is_stored_in_the_order_it_is_shown_is_still_copied(
    suffix: str, folder: Path, tmp_path: Path
) -> None:
    """Parameter sets that allow pictures to be reordered are no proof that any are."""
    # Between two key pictures there is no room for a B-frame.
    idle = ("-c:v", "libx264", "-bf", "2", "-force_key_frames", "expr:not(mod(n,2))")
    source = ffmpeg(clip(folder), tmp_path / f"idle{suffix}", *idle)
    with av.open(source) as container:
        assert container.streams.video[0].codec_context.has_b_frames
    assert "B" not in reading.picture_types(source)

    report = prepared(source, tmp_path)
    assert isinstance(report.plan, ClipPlan)
    assert report.plan.route is not Route.ENCODE


def in_order(path: Path) -> bool:
    """What reading a copied result back says of its order."""
    request = VerifyRequest(
        cap_s=Fraction(15), level=VerifyLevel.QUICK, copied=True, sound_copied=False, sound=False
    )
    with path.open("rb") as file:
        return read_back(file.fileno(), request, 1).in_order


def swapped(source: Path, target: Path) -> Path:
    """*source* with two pictures, far from its beginning, in each other's place."""
    with av.open(source) as old, av.open(target, "w") as new:
        track = new.add_stream_from_template(old.streams.video[0])
        packets: list[Any] = [packet for packet in old.demux(video=0) if packet.size]
        # Nothing may be shown before it is decoded.
        one, other = next(
            (a, b) for a, b in pairwise(packets[80:]) if not b.is_keyframe and a.pts >= b.dts
        )
        one.pts, other.pts = other.pts, one.pts
        for packet in packets:
            packet.stream = track
            new.mux(packet)
    return target


def test_a_scrambled_result_is_noticed_when_it_is_read_back(folder: Path, tmp_path: Path) -> None:
    """Times of decoding, which the probe sees; two pictures alone, which only headers tell."""
    avi = ffmpeg(clip(folder), tmp_path / "times.avi", *COPY)
    scrambled = ffmpeg(avi, tmp_path / "scrambled.mp4", *COPY)

    assert in_order(clip(folder))
    assert not in_order(scrambled)
    assert not in_order(swapped(clip(folder), tmp_path / "swapped.mp4"))


def test_raw_pictures_of_a_wrong_size_are_the_files_fault(folder: Path, tmp_path: Path) -> None:
    """HEVC in AVI has no code of its own from ffmpeg: it reads as raw video."""
    how = ("-c:v", "libx265", "-x265-params", "log-level=none")
    source = ffmpeg(clip(folder), tmp_path / "hevc.avi", *how)
    report = process_file(source, target=Target(directory=tmp_path, stem="out"))

    assert report.error is not None
    assert report.error.code == "input.corrupt"
    assert probe_file(source).video is not None
