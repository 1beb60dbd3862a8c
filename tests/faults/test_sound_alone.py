"""Sound alone is no video, whatever stands before it or beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from preprocess import Report, Status
from tests.engines.sound_clips import attempted, ffmpeg, wave_file

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to make files with")


def check_sound_alone(report: Report, described: str) -> None:
    assert report.status is Status.REJECTED
    (reason,) = report.reasons
    assert reason.rule == "input.audio_only"
    assert reason.measured == described
    assert reason.fix == "use a file that has a picture"


def test_a_cover_is_no_video(folder: Path) -> None:
    """It is a picture track to FFmpeg, of one picture."""
    cover = folder / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "color=c=red:s=320x320", "-frames:v", 1, cover)
    song = folder / "song.m4a"
    inputs = ("-i", wave_file(folder), "-i", cover)
    ffmpeg(*inputs, "-c:a", "aac", "-c:v", "png", "-disposition:v:0", "attached_pic", song)

    check_sound_alone(attempted(song), "MPEG-4 audio without a picture track but a cover")


@pytest.mark.parametrize(
    "before", [b"", bytes(211), b"rubbish\xff\xfb\x00"], ids=["bare", "zeros", "junk"]
)
@pytest.mark.parametrize("rate", [44_100, 22_050, 8_000])
def test_mp3_is_known_wherever_it_begins(rate: int, before: bytes, folder: Path) -> None:
    song = folder / "song.mp3"
    plain = ("-id3v2_version", "0", "-write_xing", "0")
    ffmpeg("-i", wave_file(folder, rate, 1), "-c:a", "libmp3lame", *plain, song)
    song.write_bytes(before + song.read_bytes())
    described = "MP3 audio" if before else "MPEG audio"

    check_sound_alone(attempted(song), described)


def test_what_only_looks_like_a_frame_here_and_there_is_not_mp3(folder: Path) -> None:
    noise = folder / "noise"
    noise.write_bytes(b"\x00\xff\xfb\x90\x64" * 2000)
    (reason,) = attempted(noise).reasons

    assert reason.rule == "input.unsupported"
