"""Packets with nothing in them: Theora's way of showing a picture for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import pytest

from fixtures import reading
from tests.engines.sound_clips import ffmpeg, pictures, prepared, wave_file

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to make clips with")


def test_an_empty_packet_repeats_the_picture_before_it(tmp_path: Path) -> None:
    """The decoder refuses it as an invalid argument, which used to be told as a fault of ours."""
    source, late = tmp_path / "clip.ogv", ("-itsoffset", "0.9")
    inputs = (*late, "-i", pictures(tmp_path), "-i", wave_file(tmp_path))
    ffmpeg(*inputs, "-c:v", "libtheora", "-q:v", "8", "-c:a", "libvorbis", source)
    with av.open(source) as container:
        packets = [packet for packet in container.demux(video=0) if packet.dts is not None]
    assert any(not packet.size for packet in packets)

    report = prepared(source)
    assert report.output is not None
    assert set(reading.frame_numbers(report.output)) >= set(range(1, 59))
