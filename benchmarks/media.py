"""Clips the benchmarks run on, made once into a folder."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from fixtures.clips import make_clip
from fixtures.long_clip import make_long_clip
from fixtures.spec import ClipSpec, Gop, Sound, Timing

if TYPE_CHECKING:
    from pathlib import Path

_GIB = 1 << 30
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


def _made(path: Path, make: object) -> Path:
    if not path.exists():
        temporary = path.with_name(f"making-{path.name}")
        make(temporary)  # type: ignore[operator]
        temporary.rename(path)
    return path
