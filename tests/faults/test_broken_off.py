"""Recordings that end or begin anywhere, lost packets or were joined: what is whole is taken."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import pytest

from fixtures import reading
from fixtures.spec import ClipSpec, Container
from preprocess import Intent, Status, Target, Window, WindowKind
from tests.engines.sound_clips import ffmpeg
from tests.faults.support import GOP, STREAM, assert_rejected, process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.support import Outcome

    Copy = Callable[..., Path]

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")

SILENT = ClipSpec(name="silent", frames=120, gop=GOP, sound=None, container=Container.MATROSKA)
PACKET = 188


def numbers_of(source: Path, intent: Intent | None = None) -> tuple[list[int], Outcome]:
    """The frames in the result, and what was said about it."""
    result = source.with_suffix(".result.mp4")
    outcome = process(source, target=Target(output=result), intent=intent or Intent())
    assert outcome.status is Status.PREPARED, outcome.message
    told = reading.frame_numbers(result)
    assert None not in told, told
    return [number for number in told if number is not None], outcome


def coded(source: Path) -> list[tuple[int, bool]]:
    """Where each picture is stored, in the order of the file, and whether it is a key picture."""
    with av.open(source) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        return [(packet.pos or 0, packet.is_keyframe) for packet in packets]


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        ("ts", "copy"),
        ("ts", "mpeg2video"),
        ("mpg", "mpeg2video"),
        ("flv", "copy"),
        ("avi", "mpeg4"),
        ("wmv", "wmv2"),
        ("mp4", "copy"),
    ],
)
def test_a_recording_ends_before_the_picture_it_was_broken_off_in(
    ending: str, codec: str, made: Callable[[ClipSpec], Path], folder: Path
) -> None:
    source = folder / f"cut.{ending}"
    fragments = ("-movflags", "frag_keyframe+empty_moov") if ending == "mp4" else ()
    ffmpeg("-i", made(SILENT), "-c:v", codec, "-bf", 0, "-q:v", 3, *fragments, source)
    content = source.read_bytes()
    source.write_bytes(content[: len(content) * 17 // 20 - 77])
    numbers, outcome = numbers_of(source)

    assert numbers == list(range(len(numbers)))
    assert 90 <= len(numbers) < 120
    (reason,) = (reason for reason in outcome.reasons if reason.rule == "video.open_end")
    assert reason.measured == "the file ends inside its last picture"


def without(source: Path, start: int, stop: int) -> None:
    """Take bytes out of a transport stream, whole packets of it."""
    content = source.read_bytes()
    start, stop = (at - at % PACKET for at in (start, stop))
    source.write_bytes(content[:start] + content[stop:])


def test_a_part_that_is_missing_between_whole_pictures_is_nothing_damaged(
    clip: Copy, folder: Path
) -> None:
    """A segment of a live stream that was never fetched: the counters jump, all decodes."""
    source = folder / "part.ts"
    ffmpeg("-i", clip(SILENT), "-c", "copy", source)
    starts = [at for at, key in coded(source) if key]
    without(source, starts[1], starts[2])
    numbers, outcome = numbers_of(source)

    assert sorted(set(numbers)) == [*range(30), *range(60, 120)]
    assert all(a <= b for a, b in pairwise(numbers))
    assert "video.variable_rate" in {reason.rule for reason in outcome.reasons}


@pytest.mark.parametrize("codec", ["copy", "mpeg2video", "libx265"])
def test_a_lost_packet_matters_where_it_damages_the_window(
    codec: str, clip: Copy, folder: Path
) -> None:
    """Decoders make up what is missing, and not all say so."""
    source = folder / "lost.ts"
    quiet = ("-x265-params", "log-level=error") if codec == "libx265" else ()
    ffmpeg("-i", clip(SILENT), "-c:v", codec, "-g", 30, "-q:v", 3, *quiet, source)
    at = coded(source)[97][0]
    without(source, at + PACKET, at + 2 * PACKET)

    said = "119 of 120 pictures of the window are there"
    assert_rejected(process(source), "input.truncated", said)
    before = Window(kind=WindowKind.SPAN, end_s=replace(SILENT, frames=75).duration_s)
    numbers, _ = numbers_of(source, Intent(window=before))
    assert numbers == list(range(len(numbers)))
    assert 73 <= len(numbers) <= 75  # a lossless cut ends at a clean boundary


@pytest.mark.parametrize("ending", ["ts", "m2ts", "mpg", "vob"])
def test_a_recording_may_begin_inside_a_packet(ending: str, clip: Copy, folder: Path) -> None:
    source = folder / f"mid.{ending}"
    blu_ray = ("-mpegts_m2ts_mode", 1) if ending == "m2ts" else ()
    codec = ("-c:v", "mpeg2video", "-g", 30, "-q:v", 3, "-c:a", "mp2")
    ffmpeg("-i", clip(replace(STREAM, name="longer-stream", frames=120)), *codec, *blu_ray, source)
    content = source.read_bytes()
    source.write_bytes(content[len(content) // 5 + 77 :])
    numbers, _ = numbers_of(source)

    assert numbers == list(range(numbers[0], 120))
    assert 0 < numbers[0] <= 60


def test_a_clock_that_starts_again_is_told(clip: Copy) -> None:
    source = clip(STREAM)
    source.write_bytes(source.read_bytes() * 2)

    assert_rejected(process(source), "input.corrupt", "the clock jumps back from")
