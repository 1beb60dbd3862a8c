"""Sound of an encode, as FFmpeg's filters and in samples; the same for both engines. Pure."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.filtergraph import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

AAC_FRAME = 1024
PRIMING = 1024
"""FFmpeg's AAC encoder starts with one packet that holds nothing yet."""
HOLE_S = Fraction(1, 50)
"""Packets nearer than this follow each other; time stamps are often rounded to 1 ms."""
_MOST_NAMED = 8
"""Channels that FFmpeg gives places by their number alone where the file gives none: up to 7.1."""
_LIMITER = "limit=0.891:level=0:latency=1"
"""-1 dB of full scale, the most that EBU R 128 (2023) allows a peak; nothing quieter is touched."""


def most_samples(duration_s: Fraction, cap_s: Fraction, rate: int) -> int:
    """Samples that fit beside a picture of *duration_s*.

    Priming counts for readers that ignore edit lists, so it is inside the cap.
    """
    stored = int(min(cap_s, duration_s + Fraction(AAC_FRAME, rate)) * rate)
    return min(round(duration_s * rate), stored // AAC_FRAME * AAC_FRAME - PRIMING)


def layout_name(channels: int | None) -> str:
    """FFmpeg's name of what is encoded."""
    return "mono" if channels == 1 else "stereo"


def conversion(layout: str, rate: int, *, mixed: bool) -> Iterator[Step]:
    """Bring sound to *layout* and *rate*; *mixed*: from more channels.

    More channels are mixed to two as ITU-R BS.775-3 (2012) has it, which is what FFmpeg does:
    centre and surrounds at -3 dB, no low-frequency channel. Loudness stays what it was, so that
    the sum can pass full scale; there a limiter sees to it that nothing is clipped.
    """
    target = f"sample_fmts=fltp:sample_rates={rate}:channel_layouts={layout}"
    yield Step.plain("aformat", target)
    if mixed:
        yield Step.plain("alimiter", _LIMITER)
        yield Step.plain("aformat", target)


def mixable(layout: str, channels: int, *, mixed: bool) -> Iterator[Step]:
    """Have *channels*, placed by FFmpeg's name *layout*, mixed as `conversion` says.

    Goes before any resampler: one that is there mixes, and knows no ambisonics.
    """
    if mixed:
        # From FFmpeg 9 on AC-3 would be mixed by the levels that its own headers have.
        yield Step.plain("asidedata", "mode=delete")
    if layout.startswith("ambisonic"):
        yield Step.plain("pan", "args=stereo|c0=c0|c1=c0")  # W, the sound from all around
    elif layout == f"{channels} channels" and channels > _MOST_NAMED:
        yield Step.plain("pan", f"args={_side_by_side(channels)}")


def _side_by_side(count: int) -> str:
    """Tracks of a recorder: odd ones left, even ones right, as mixing desks do."""
    left = "+".join(f"{1 / -(-count // 2)}*c{n}" for n in range(0, count, 2))
    right = "+".join(f"{1 / (count // 2)}*c{n}" for n in range(1, count, 2))
    return f"stereo|c0={left}|c1={right}"
