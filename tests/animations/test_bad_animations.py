"""Animated images that are torn, huge, or that move for ever."""

from __future__ import annotations

import os
import struct
import tempfile
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from preprocess import (
    ClipPlan,
    ImagePlan,
    Intent,
    Mode,
    Rejection,
    Role,
    Status,
    parse_window,
    plan_file,
    probe_file,
    process_file,
)
from preprocess.probe import gif
from tests.animations import moving

if TYPE_CHECKING:
    from pathlib import Path

ALL = (0, 0, 64, 64)


def rules(decision: object) -> list[str]:
    assert isinstance(decision, Rejection), decision
    return [reason.rule for reason in decision.reasons]


def test_a_gif_cut_in_a_later_picture_is_truncated_as_a_clip_and_whole_as_a_frame(
    tmp_path: Path,
) -> None:
    source = moving.animation(tmp_path / "a.gif", "gif", 25, 100)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 6 // 10])

    assert "input.truncated" in rules(plan_file(source))
    assert isinstance(plan_file(source, intent=Intent(role=Role.FIRST_FRAME)), ImagePlan)


@pytest.mark.parametrize("container", ["png", "webp", "avif"])
def test_a_cut_file_is_truncated(container: str, tmp_path: Path) -> None:
    source = moving.animation(tmp_path / "a", container, 25, 100)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 6 // 10])

    assert rules(plan_file(source)) == ["input.truncated"]


@pytest.mark.parametrize("container", moving.FORMATS)
def test_what_follows_the_file_is_no_part_of_it(container: str, tmp_path: Path) -> None:
    source = moving.animation(tmp_path / "a", container, 25, 100)
    source.write_bytes(source.read_bytes() + b"\xff\xd8 more" * 20)

    assert isinstance(plan_file(source), ClipPlan)


@pytest.mark.parametrize("container", moving.FORMATS)
def test_a_spoilt_picture_is_no_success(container: str, tmp_path: Path) -> None:
    """A clip may not lack pictures, or show half of one, and nobody is told."""
    source = moving.animation(tmp_path / "a", container, 25, 100)
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    # WebP has no check sums: other pixels are as good. Its chunks have names, at least.
    middle = data.index(b"VP8L", middle) if container == "webp" else middle
    data[middle : middle + 400] = bytes(400)
    source.write_bytes(data)
    report = process_file(source)

    assert report.status is Status.REJECTED
    assert report.error is not None
    assert report.error.code in ("input.corrupt", "input.truncated")


@pytest.mark.parametrize("mode", [Mode.EDIT, Mode.EXTEND])
def test_a_huge_canvas_is_told_without_decoding(mode: Mode, tmp_path: Path) -> None:
    """480 bytes that took 716 MB and 4 s."""
    source = tmp_path / "a.gif"
    source.write_bytes(
        b"GIF89a"
        + struct.pack("<HHBBB", 9000, 9000, 0x80, 0, 0)
        + bytes(6)
        + 20 * (b"\x2c" + struct.pack("<4HB", 0, 0, 9000, 9000, 0) + b"\x02\x02\x44\x01\0")
        + b";"
    )
    began = time.monotonic()
    decision = plan_file(source, intent=Intent(mode=mode))

    assert rules(decision) == ["input.pixels"]
    assert time.monotonic() - began < 3


def test_many_large_pictures_are_too_many(tmp_path: Path) -> None:
    source = tmp_path / "a.gif"
    source.write_bytes(moving.gif([((0, 0, 2, 2), 1, 1, None, 0)] * 170, side=5000))
    decision = plan_file(source)

    assert rules(decision) == ["input.pixels"]
    assert isinstance(decision, Rejection)
    assert "pictures of 5000x5000" in decision.reasons[0].measured


def test_of_an_endless_animation_only_the_window_is_read(tmp_path: Path) -> None:
    source = tmp_path / "a.gif"
    picture = ((0, 0, 2, 2), 1, 1, None, 2)
    source.write_bytes(moving.gif([picture] * 20_000, side=2))
    facts = probe_file(source)

    assert facts.video is not None
    assert len(facts.video.table.pts) < 900
    assert facts.video.frames is None


@pytest.mark.parametrize("container", moving.FORMATS)
def test_a_picture_that_stays_for_minutes_fills_the_clip(container: str, tmp_path: Path) -> None:
    source = moving.animation(tmp_path / "a", container, 4, [1000, 9000, 60_000, 1000])
    head = plan_file(source)
    part = plan_file(source, intent=Intent(window=parse_window("40..48")))
    still = plan_file(source, intent=Intent(window=parse_window("40..52")))

    assert isinstance(head, ClipPlan)
    assert head.expected.duration_s == 15
    assert isinstance(part, ClipPlan)
    assert part.expected.duration_s == 8
    assert rules(still) == ["video.gap"]


@pytest.mark.parametrize("container", ["gif", "png", "webp"])
def test_every_cut_and_every_spoilt_byte_has_an_outcome(container: str, tmp_path: Path) -> None:
    images = [moving.numbered(n, (64, 32)) for n in range(3)]
    source = moving.save(tmp_path / "a", container, images, 1000)
    whole = source.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        for data in (whole[:at], whole[:at] + b"\xff\0" + whole[at + 2 :]):
            source.write_bytes(data)
            plan_file(source)
            plan_file(source, intent=Intent(role=Role.FIRST_FRAME))


@settings(max_examples=30)
@given(st.binary(max_size=300))
def test_gif_blocks_of_any_bytes_are_read_to_an_end(tail: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(moving.gif([(ALL, 1, 1, None, 10)], side=64)[:-1] + tail)
        file.flush()
        fd = os.dup(file.fileno())
        try:
            found = gif.look(fd, 50)
        finally:
            os.close(fd)

    assert 1 <= found.whole <= 51


def test_a_still_in_an_animated_container_stays_a_still(tmp_path: Path) -> None:
    """A large GIF photo: its first picture's data goes on for megabytes."""
    image = Image.effect_noise((2200, 2200), 90)
    source = tmp_path / "a.gif"
    image.save(source, format="GIF")

    assert source.stat().st_size > 1 << 22
    assert isinstance(plan_file(source), ImagePlan)
