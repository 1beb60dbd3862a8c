"""Where packets of sound promise sound: the account that decoding has to settle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preprocess.facts import Span
from preprocess.soundgraph import HOLE_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction


def spans(
    starts: Iterable[int], lengths: Iterable[int], tick_s: Fraction, offset_s: Fraction
) -> tuple[Span, ...]:
    """The stretches that packets fill without a hole; times in ticks, *offset_s* added."""
    hole = HOLE_S / tick_s
    merged: list[list[int]] = []
    for start, length in zip(starts, lengths, strict=True):
        if merged and start - merged[-1][1] <= hole:
            merged[-1][1] = max(merged[-1][1], start + length)
        else:
            merged.append([start, start + length])
    return tuple(
        Span(start_s=start * tick_s + offset_s, end_s=end * tick_s + offset_s)
        for start, end in merged
    )


def usual_of(runs: Sequence[tuple[int, int]]) -> int:
    """The value in the middle of *runs* of (count, value)."""
    left = (sum(count for count, _ in runs) - 1) // 2
    for value, count in sorted((value, count) for count, value in runs):
        if count > left:
            return value
        left -= count
    return 0


def spread_of(runs: Sequence[tuple[int, int]], usual: int) -> int:
    """How far packets stray, in ticks, from following each other at a distance of *usual*."""
    place = farthest = 0
    for count, value in runs:
        place += count * (value - usual)
        farthest = max(farthest, abs(place))
    return farthest


def laid_out(
    runs: Sequence[tuple[int, int]], start: int, usual: int, hole: Fraction
) -> tuple[list[int], list[int]]:
    """Starts and lengths of the stretches that *runs* of packets fill from *start* on, in ticks.

    A packet that is said to last longer than *usual* by more than *hole* has a hole after it.
    """
    starts: list[int] = []
    lengths: list[int] = []
    for count, value in runs:
        if value - usual > hole:
            starts += range(start, start + count * value, value)
            lengths += [usual] * count
        else:
            starts.append(start)
            lengths.append(count * value)
        start += count * value
    return starts, lengths
