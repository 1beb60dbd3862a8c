"""How often each picture is written, so that the result has a constant rate. Pure.

Times are ticks of the source's clock.
"""

from __future__ import annotations

import cmath
import math
from fractions import Fraction
from itertools import accumulate, pairwise
from statistics import median_low
from typing import TYPE_CHECKING

from preprocess.timing import STANDARD_RATES, divisor, repeats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def even(count: int, repeat: int, pick_every: int, most: int) -> tuple[int, ...]:
    """*count* pictures, each written *repeat* times, or one of *pick_every*; *most* in all."""
    return limited([0 if n % pick_every else repeat for n in range(count)], most)


NEAR_S = Fraction(20, 1000)
"""A picture may be this far from its time: with what its sound may be off, half of the 45 ms from
which on it is noticed (ITU-R BT.1359-1, 1998). Half a step of 24 fps is 21 ms."""

_NEAR_STEPS = Fraction(3, 4)
"""And this many steps: with a whole one, half the pictures of 60 fps would limp."""


def by_time(
    pts: Sequence[int], start: Fraction, end: Fraction, rate: Fraction, tick: Fraction, most: int
) -> tuple[int, ...]:
    """Each picture for as long as it is shown, from *start* to *end*; *most* in all.

    A picture gets the next step while that is unnoticeably near to its time, so that jitter
    neither doubles nor loses pictures, and otherwise the nearest one: nothing drifts. One that is
    shown for less than a step can be left out.
    """
    if not pts:
        return ()
    near = min(NEAR_S * rate, _NEAR_STEPS)
    begins = [0]
    for p in pts[1:]:
        place, following = (max(Fraction(p), start) - start) * tick * rate, begins[-1] + 1
        begins.append(
            following if abs(following - place) <= near else max(begins[-1], round(place))
        )
    last = max(1, round((end - start) * tick * rate))
    ends = [min(step, last) for step in [*begins[1:], last]]
    return limited([b - min(a, last) for a, b in zip(begins, ends, strict=True)], most)


def phase(pts: Sequence[int], start: Fraction, steps_per_tick: Fraction) -> Fraction:
    """Where most pictures lie between two steps from *start* on, in steps: -1/2 to 1/2.

    A recording that jitters around a regular clock is put on that clock, not on the accident of
    its first picture.
    """
    mean = cmath.phase(_sum_of_directions(pts, start, steps_per_tick)) / (2 * math.pi)
    return Fraction(round(mean * _PARTS), _PARTS)


_PARTS = 1000
"""Of a step; coarse enough that every machine rounds the mean to the same one."""


def limited(writes: Sequence[int], most: int) -> tuple[int, ...]:
    """*writes* up to *most* in all; pictures after that are written 0 times."""
    before = accumulate(writes, initial=0)
    return tuple(max(0, min(n, most - done)) for n, done in zip(writes, before, strict=False))


def filled(writes: tuple[int, ...], least: int) -> tuple[int, ...]:
    """*writes* with the last picture held until there are *least* in all."""
    missing = least - sum(writes)
    return (*writes[:-1], writes[-1] + missing) if missing > 0 else writes


def stills(
    pts: Sequence[int], start: Fraction, end: Fraction
) -> Iterable[tuple[Fraction, Fraction]]:
    """From when to when each picture stays, in ticks."""
    return pairwise([*(max(Fraction(p), start) for p in pts), end])


def nearest_rate(pts: Sequence[int], tick: Fraction, low: Fraction, high: Fraction) -> Fraction:
    """The standard rate inside [*low*, *high*] that suits pictures that come unevenly.

    Nominal is what the median step says: pauses and dropped pictures do not change it. Slower
    material is repeated, faster material thinned, before the nearest standard rate is looked for.
    """
    steps = [b - a for a, b in pairwise(pts)]
    median = median_low(steps) if steps else 0
    nominal = 1 / (median * tick) if steps else low
    every = divisor(nominal / _NEARLY, high)
    nominal = nominal * repeats(nominal * _NEARLY, low) / every
    off = {r: max(r / nominal, nominal / r) for r in STANDARD_RATES if low <= r <= high}
    nearest = min(off, key=lambda rate: off[rate], default=low)
    steady = 2 * sum(abs(step - median) * tick <= _STEADY_S for step in steps) >= len(steps)
    reach = off.get(nearest, 1) * _NEARLY if steady else _JITTERY
    # The grid that most pictures lie on tells 30 from 30000/1001, and a clock behind its jitter.
    on_grid = {r: _share_on_grid(pts, r * every * tick) for r in off if off[r] <= reach}
    best = max(on_grid, key=lambda rate: on_grid[rate], default=nearest)
    by_chance = on_grid.get(best, 0) ** 2 * len(pts) < _NO_CHANCE
    return nearest if by_chance else best


_NEARLY = Fraction(101, 100)
"""Rounded to milliseconds, the step of 24 fps can be a little long: it is not repeated for that."""
_STEADY_S = Fraction(2, 1000)
_JITTERY = Fraction(13, 10)
"""Where steps differ, their median can be this far off."""
_NO_CHANCE = 9
"""By chance the share is about 1 / sqrt(n); three times that is none (Rayleigh's test)."""


def _share_on_grid(pts: Sequence[int], steps_per_tick: Fraction) -> float:
    """How much pictures lie at one place between steps: 0, anywhere, to 1."""
    total = _sum_of_directions(pts, Fraction(pts[0]), steps_per_tick) if pts else 0j
    return abs(total) / max(1, len(pts))


def _sum_of_directions(pts: Sequence[int], start: Fraction, steps_per_tick: Fraction) -> complex:
    """Places between two steps as directions: just before and just after a step are near."""
    turns = (2 * math.pi * float((p - start) * steps_per_tick % 1) for p in pts if p >= start)
    return sum((cmath.rect(1, turn) for turn in turns), 0j)
