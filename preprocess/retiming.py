"""How often each picture is written, as expressions that a filter of FFmpeg evaluates. Pure.

``N`` is the number of a picture of the window, from 0. Written one by one, a window of 240 fps
would not fit on a command line: what repeats is said once, and only what differs is listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_TERMS = 40
"""Of one sum: FFmpeg's evaluator refuses trees deeper than 100, and each sign makes one deeper
(libavutil/eval.c, 5.1 to 9.0)."""
_PERIODS = range(1, 43)
"""1000 fps thinned to 24: one of 42 is written."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """*base* over and over, but for *others*: (number, how often that one is written)."""

    base: tuple[int, ...]
    others: tuple[tuple[int, int], ...]


def slot(writes: Sequence[int]) -> str:
    """The place of picture ``N`` in the result: how many were written before it."""
    pattern = _pattern(writes)
    base, period = pattern.base, len(pattern.base)
    terms = [_times(sum(base), "N" if period == 1 else f"floor(N/{period})")]
    if period > 1:
        # Each picture of a period adds what it is written to those after it.
        steps = [(n, count) for n, count in enumerate(base[:-1]) if count]
        terms += [_times(count, f"gt(mod(N,{period}),{n})") for n, count in steps]
    terms += [_times(count - base[n % period], f"gt(N,{n})") for n, count in pattern.others]
    return _sum(terms)


def written(writes: Sequence[int], number: str) -> str | None:
    """1 for pictures that are written at all, 0 for others; ``None`` if all are.

    *number* is what the filter calls ``N``.
    """
    kept = [min(1, count) for count in writes]
    if all(kept):
        return None
    pattern = _pattern(kept)
    base, period = pattern.base, len(pattern.base)
    if period == 1:
        terms = [str(base[0])]
    else:
        ones = [n for n, count in enumerate(base) if count]
        terms = [f"eq(mod({number},{period}),{n})" for n in ones]
    terms += [_times(count - base[n % period], f"eq({number},{n})") for n, count in pattern.others]
    return _sum(terms)


def _pattern(writes: Sequence[int]) -> _Pattern:
    """The period that leaves the fewest exceptions; of several the shortest."""
    candidates = (_with_base(writes, base) for base in _bases(writes))
    return min(candidates, key=lambda each: len(each.others) + len(each.base))


def _bases(writes: Sequence[int]) -> list[tuple[int, ...]]:
    return [
        tuple(_commonest(writes[n::period]) for n in range(period))
        for period in _PERIODS
        if period == 1 or 2 * period <= len(writes)
    ]


def _commonest(values: Sequence[int]) -> int:
    return max(sorted(set(values)), key=values.count, default=1)


def _with_base(writes: Sequence[int], base: tuple[int, ...]) -> _Pattern:
    others = ((n, count) for n, count in enumerate(writes) if count != base[n % len(base)])
    return _Pattern(base, tuple(others))


def _times(factor: int, term: str) -> str:
    if factor in (0, 1):
        return term if factor else ""
    return f"-{term}" if factor == -1 else f"{factor}*{term}"


def _sum(terms: Sequence[str]) -> str:
    """All of *terms*, in brackets where there are more than FFmpeg adds up in a row."""
    wanted = [term for term in terms if term]
    while len(wanted) > _MOST_TERMS:
        starts = range(0, len(wanted), _MOST_TERMS)
        wanted = [f"({_joined(wanted[n : n + _MOST_TERMS])})" for n in starts]
    return _joined(wanted) or "0"


def _joined(terms: Sequence[str]) -> str:
    return "+".join(terms).replace("+-", "-")


def last_stay(writes: Sequence[int]) -> int:
    """How often the last picture that is written at all is written."""
    return next((count for count in reversed(writes) if count), 0)
