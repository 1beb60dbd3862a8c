"""Clocks, cadences and clean boundaries. Pure; times are `Fraction` seconds or integer ticks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from statistics import median_low
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STANDARD_RATES = (
    Fraction(24),
    Fraction(25),
    Fraction(30),
    Fraction(50),
    Fraction(60),
    Fraction(24000, 1001),
    Fraction(30000, 1001),
    Fraction(60000, 1001),
)
"""Rates that real material is meant to have (SMPTE and EBU production rates)."""

_WIDEST_SNAP = Fraction(1, 50)
"""24 and 25 are 4 % apart: from half of that on, snapping could not tell them apart."""
_LARGEST_RATIO = 120
"""A cadence is looked for up to this many times below or above a standard rate (0.2-7200 fps)."""

NTSC = Fraction(1001, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """The constant rate that a run of pictures keeps, and how well."""

    rate: Fraction
    """Pictures per second."""
    deviation_s: Fraction
    """Largest distance of a picture from the best-placed grid of that rate."""


def find_cadence(
    pts: Sequence[int],
    time_base: Fraction,
    *,
    snap: Fraction,
    rewrite_s: Fraction,
    exact_s: Fraction,
) -> Cadence | None:
    """The constant rate behind *pts* (ticks in display order), or ``None`` if it is variable.

    A standard rate, or an integer fraction or multiple of one, within *snap* of the measured
    rate is taken when every picture lies within *rewrite_s* of its grid. Any other rate has to be
    kept within *exact_s*: nearly every run fits *some* rate loosely.
    """
    measured = _average_rate(pts, time_base)
    if measured is None:
        return None
    # First and last picture may be off as much as any: in 2 s, 10 ms each are another 1 %.
    unsure = 2 * rewrite_s / ((pts[-1] - pts[0]) * time_base)
    near = max(snap, min(snap + unsure, _WIDEST_SNAP))
    standard = [
        Cadence(rate=rate, deviation_s=deviation(pts, time_base, rate))
        for rate in _near_standard_rates(measured, near)
    ]
    best = min(standard, key=lambda found: found.deviation_s, default=None)
    if best is not None and best.deviation_s <= rewrite_s:
        return best
    own = own_cadence(pts, time_base)
    return own if own is not None and own.deviation_s <= exact_s else None


def own_cadence(pts: Sequence[int], time_base: Fraction) -> Cadence | None:
    """The average rate of *pts*, standard or not, and how well it is kept."""
    measured = _average_rate(pts, time_base)
    rate = measured.limit_denominator(1001) if measured is not None else Fraction(0)
    if rate <= 0:
        return None
    return Cadence(rate=rate, deviation_s=deviation(pts, time_base, rate))


def _average_rate(pts: Sequence[int], time_base: Fraction) -> Fraction | None:
    if len(pts) < 2 or pts[-1] <= pts[0]:  # noqa: PLR2004 - one picture has no rate
        return None
    return Fraction(len(pts) - 1) / ((pts[-1] - pts[0]) * time_base)


def _near_standard_rates(measured: Fraction, snap: Fraction) -> Iterable[Fraction]:
    seen = set()
    for standard in STANDARD_RATES:
        ratio = measured / standard
        times = max(1, round(ratio))
        parts = max(1, round(1 / ratio))
        if times > _LARGEST_RATIO or parts > _LARGEST_RATIO:
            continue
        rate = standard * times / parts
        if rate not in seen and abs(rate / measured - 1) <= snap:
            seen.add(rate)
            yield rate


def deviation(pts: Sequence[int], time_base: Fraction, rate: Fraction) -> Fraction:
    """Largest distance in seconds of *pts* from the grid of *rate* that fits them best."""
    step = 1 / (rate * time_base)
    # Integer arithmetic: with step = p/q ticks, errors are measured in q-ths of a tick.
    p, q = step.numerator, step.denominator
    errors = [value * q - index * p for index, value in enumerate(pts)]
    return Fraction(max(errors) - min(errors), 2 * q) * time_base


def conforming_rate(rate: Fraction, low: Fraction, high: Fraction) -> Fraction | None:
    """The rate inside [*low*, *high*] that shows material of *rate* without uneven steps.

    Inside stays. 1000/1001 below *low* is retimed to the integer rate; slower material is
    repeated an integer number of times, faster material thinned by an integer divisor.
    ``None`` where no integer step lands inside.
    """
    if low <= rate <= high:
        return rate
    if rate < low:
        repeat = repeats(rate, low)
        rate *= repeat
        if rate < low:
            rate *= NTSC
    else:
        rate /= divisor(rate, high)
    return rate if low <= rate <= high else None


def repeats(rate: Fraction, low: Fraction) -> int:
    """How often each picture is written so that *rate* reaches *low* (or 1000/1001 of it)."""
    return max(1, -((-low / NTSC) // rate))


def divisor(rate: Fraction, high: Fraction) -> int:
    """Of how many pictures one is written so that *rate* is at most *high*."""
    return max(1, -(-rate // high))


def clean_ends(pts: Sequence[int]) -> list[int]:
    """Every n for which the first n packets in decode order can stand alone.

    At such a point all pictures before it are shown before all pictures after it, so nothing
    that is shown earlier follows, and everything needed came earlier in decode order. The end of
    the run counts only if the caller knows that nothing follows.
    """
    if not pts:
        return []
    latest_before = list(accumulate(pts, max))
    earliest_after = list(accumulate(reversed(pts), min))[::-1]
    inner = [n for n in range(1, len(pts)) if latest_before[n - 1] < earliest_after[n]]
    return [*inner, len(pts)]


def open_end(pts: Sequence[int]) -> int:
    """How many of the last packets, in decode order, belong together with some that are missing.

    A recording that was broken off ends with a picture stored early whose predecessors never came.
    0 where nothing is missing, where pictures are not reordered, or where the rate is uneven
    anyway.
    """
    inner = clean_ends(pts)[:-1]
    if not inner or all(a < b for a, b in pairwise(pts)):
        return 0
    whole, last = pts[: inner[-1]], pts[inner[-1] :]
    steps = [b - a for a, b in pairwise(sorted(whole)) if b > a]
    if not steps or last[0] != max(last):
        return 0
    most = median_low(steps) * _UNEVEN
    begins = [max(whole), *sorted(last)]
    missing = any(b - a > most for a, b in pairwise(begins))
    return len(last) if missing and max(steps) <= most else 0


_UNEVEN = 1.5
"""Steps longer than this many usual ones leave a picture out."""


def seconds_text(value: Fraction | float) -> str:
    """A duration for people: ``12.48 s``, at most three decimals."""
    text = f"{float(value):.3f}".rstrip("0").rstrip(".")
    return f"{text} s"


def rate_text(rate: Fraction) -> str:
    """A rate for people: ``29.97 fps``, at most three decimals."""
    text = f"{float(rate):.3f}".rstrip("0").rstrip(".")
    return f"{text} fps"
