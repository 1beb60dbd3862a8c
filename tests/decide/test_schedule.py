from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocess import schedule
from preprocess.timing import STANDARD_RATES

MS = Fraction(1, 1000)
LOW, HIGH = Fraction(24), Fraction(60)


@st.composite
def uneven_pictures(draw: st.DrawFn) -> list[int]:
    """Time stamps in milliseconds that follow no clock."""
    steps = draw(st.lists(st.integers(1, 400), min_size=1, max_size=60))
    return list(accumulate(steps, initial=draw(st.integers(-5000, 5000))))


@given(uneven_pictures(), st.sampled_from(STANDARD_RATES), st.integers(1, 500))
def test_no_picture_is_noticeably_far_from_its_time(
    pts: list[int], rate: Fraction, last_ms: int
) -> None:
    start, end = Fraction(pts[0]), Fraction(pts[-1] + last_ms)
    writes = schedule.by_time(pts, start, end, rate, MS, 10**6)
    begins = list(accumulate(writes, initial=0))
    length_s = (end - start) * MS
    near_s = max(1 / (2 * rate), schedule.NEAR_S)

    assert abs(begins[-1] / rate - length_s) <= 1 / (2 * rate) or begins[-1] == 1
    for p, times, begin in zip(pts, writes, begins, strict=False):
        late_s = begin / rate - (p - start) * MS
        assert times == 0 or abs(late_s) <= near_s


@given(uneven_pictures(), st.sampled_from(STANDARD_RATES))
def test_a_picture_shown_for_a_whole_step_is_never_left_out(pts: list[int], rate: Fraction) -> None:
    writes = schedule.by_time(pts, Fraction(pts[0]), Fraction(pts[-1] + 1000), rate, MS, 10**6)
    lasts = [b - a for a, b in zip(pts, [*pts[1:], pts[-1] + 1000], strict=True)]
    whole_s = 1 / rate + schedule.NEAR_S

    assert all(n for n, ticks in zip(writes, lasts, strict=True) if ticks * MS > whole_s)


@given(st.lists(st.integers(0, 5), min_size=1), st.integers(0, 60), st.integers(0, 200))
def test_writes_are_limited_and_filled_to_the_picture(
    writes: list[int], most: int, least: int
) -> None:
    kept = schedule.limited(writes, most)
    full = schedule.filled(kept, least)

    assert sum(kept) == min(most, sum(writes))
    assert all(a <= b for a, b in zip(kept, writes, strict=True))
    assert sum(full) == max(least, sum(kept))
    assert full[:-1] == kept[:-1]


@given(st.lists(st.integers(-8, 8), min_size=2, max_size=300), st.integers(0, 32))
def test_jitter_around_a_clock_doubles_and_loses_nothing(late: list[int], first: int) -> None:
    pts = [round(Fraction(1000 * n, 30)) + first + ms for n, ms in enumerate(late)]
    step = Fraction(30) * MS
    start = pts[0] + schedule.phase(pts, Fraction(pts[0]), step) / step
    whole = schedule.by_time(pts, start, Fraction(pts[-1] + 33), Fraction(30), MS, 10**6)

    assert whole[:-1] == (1,) * (len(pts) - 1)


@pytest.mark.parametrize(
    ("step_ms", "rate"),
    [
        ("33.3", Fraction(30)),
        ("41.708", Fraction(24)),
        ("40", Fraction(25)),
        ("100", Fraction(30)),
        ("66.7", Fraction(30)),
        ("135", Fraction(30)),
        ("8.33", Fraction(60)),
        ("4.17", Fraction(60)),
        ("20", Fraction(50)),
        ("42", Fraction(24)),
        ("16.6", Fraction(60)),
    ],
)
def test_the_nominal_rate_decides_and_pauses_do_not(step_ms: str, rate: Fraction) -> None:
    tick = Fraction(1, 90_000)
    step = round(Fraction(step_ms) / 1000 / tick)
    pts = [n * step + (n // 10) * 50_000 for n in range(60)]

    assert abs(schedule.nearest_rate(pts, tick, LOW, HIGH) / rate - 1) <= Fraction(1, 999)


@given(uneven_pictures(), st.integers(1, 100), st.integers(0, 50))
def test_the_rate_is_always_inside_the_limits(pts: list[int], low: int, more: int) -> None:
    rate = schedule.nearest_rate(pts, MS, Fraction(low), Fraction(low + more))

    assert low <= rate <= low + more


@given(
    st.sampled_from([Fraction(30), Fraction(30_000, 1001)]),
    st.integers(0, 14),
    st.randoms(use_true_random=False),
)
def test_jitter_does_not_hide_which_of_two_near_rates_it_is(
    rate: Fraction, most_ms: int, chance: Random
) -> None:
    tick = Fraction(1, 90_000)
    late = Random(chance.getrandbits(32))  # noqa: S311 - a pattern would be a rate of its own
    pts = [round(n / rate / tick) + 90 * late.randint(-most_ms, most_ms) for n in range(450)]

    assert schedule.nearest_rate(pts, tick, LOW, HIGH) == rate
