"""What the encoder was really told, read from its bitstream."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from fixtures.clips import make_clip
from fixtures.spec import INTRA_ONLY, ClipSpec
from preprocess import ClipPlan, Options, Route, Target, process_file

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")

_SLICE = re.compile(rb"\x00\x00\x01[\x01\x21\x41\x61\x65\x25\x45]")
"""A start code and a coded slice: nal_unit_type 1 or 5 (ITU-T H.264, table 7-1)."""


def test_threads_do_not_slice_the_pictures(tmp_path: Path) -> None:
    """Each slice starts anew: sliced threads cost 3 % of the bytes and a fifth of the time."""
    spec = ClipSpec(name="slow", frames=45, frame_rate=Fraction(15), gop=INTRA_ONLY)
    source = make_clip(spec, tmp_path / "slow.mp4")
    output = tmp_path / "out.mp4"
    report = process_file(source, target=Target(output=output), options=Options(threads=4))
    assert isinstance(report.plan, ClipPlan)
    assert report.plan.route is Route.ENCODE
    command = ["ffmpeg", "-v", "error", "-i", str(output), "-c", "copy", "-f", "h264", "-"]
    stream = subprocess.run(command, check=True, capture_output=True).stdout

    assert len(_SLICE.findall(stream)) == report.plan.expected.frames


def test_the_stream_carries_the_level_of_its_size(tmp_path: Path) -> None:
    spec = ClipSpec(name="slow", frames=45, frame_rate=Fraction(15), gop=INTRA_ONLY)
    source = make_clip(spec, tmp_path / "slow.mp4")
    output = tmp_path / "out.mp4"
    report = process_file(source, target=Target(output=output), options=Options())
    assert isinstance(report.plan, ClipPlan)
    assert report.plan.encoding is not None
    track = reading.stream_facts(output)["streams"][0]

    assert track["level"] == round(10 * float(report.plan.encoding.level))


def test_the_macroblock_tree_is_off(tmp_path: Path) -> None:
    """It reads memory that nobody has written (x264 core 165): results would not repeat."""
    spec = ClipSpec(name="slow", frames=45, frame_rate=Fraction(15), gop=INTRA_ONLY)
    source = make_clip(spec, tmp_path / "slow.mp4")
    output = tmp_path / "out.mp4"
    process_file(source, target=Target(output=output), options=Options())

    settings = re.search(rb"options: [ -~]+", output.read_bytes())
    assert settings is not None
    assert b" mbtree=0 " in settings[0]
