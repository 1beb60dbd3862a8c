"""Which rate a run of pictures has, and which one it becomes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocess.timing import (
    Cadence,
    conforming_rate,
    deviation,
    divisor,
    find_cadence,
    open_end,
    own_cadence,
    rate_text,
    repeats,
    seconds_text,
)
from tests.decide.clips import NTSC_24, NTSC_30, NTSC_60
from tests.decide.searching import widely
from tests.strategies import ODD_RATES, STANDARD, jitter, uneven

MS = Fraction(1, 1000)
FINE = Fraction(1, 90_000)


def cadence_of(pts: list[int], time_base: Fraction) -> Cadence | None:
    return find_cadence(pts, time_base, snap=Fraction(1, 200), rewrite_s=10 * MS, exact_s=2 * MS)


def grid(rate: Fraction | int, count: int, time_base: Fraction = FINE, first: int = 0) -> list[int]:
    return [first + round(n / (rate * time_base)) for n in range(count)]


def moved(rate: int, by_ms: Fraction | str, *, at: int, count: int = 300) -> list[int]:
    """A grid in microseconds with one picture late."""
    tick = Fraction(1, 1_000_000)
    pts = grid(rate, count, tick)
    pts[at] += round(Fraction(by_ms) * MS / tick)
    return pts


@pytest.mark.parametrize("rate", [*STANDARD, NTSC_24])
@pytest.mark.parametrize("seconds", [2, 15, 600])
def test_a_production_rate_stays_itself(rate: Fraction, seconds: int) -> None:
    found = cadence_of(grid(rate, round(rate * seconds)), FINE)

    assert found is not None
    assert found.rate == rate
    assert found.deviation_s <= FINE


@pytest.mark.parametrize("rate", [NTSC_24, NTSC_30, NTSC_60, Fraction(24), Fraction(30)])
def test_whole_milliseconds_do_not_hide_the_rate(rate: Fraction) -> None:
    """Matroska and FLV round to a millisecond; 24 and 24000/1001 are a thousandth apart."""
    found = cadence_of(grid(rate, round(rate * 15), MS), MS)

    assert found is not None
    assert found.rate == rate
    assert found.deviation_s <= MS / 2


@pytest.mark.parametrize(
    ("measured", "taken"),
    [("60.06", 60), ("30.02", 30), ("24.99", 25), ("59.92", NTSC_60), ("23.98", NTSC_24)],
)
def test_a_rate_near_a_production_rate_becomes_that_one(
    measured: str, taken: Fraction | int
) -> None:
    found = cadence_of(grid(Fraction(measured), 600), FINE)

    assert found is not None
    assert found.rate == taken


@pytest.mark.parametrize("rate", ["48", "29.833", "12", "15", "10", "120", "240", "1", "36", "90"])
def test_any_other_constant_rate_is_its_own(rate: str) -> None:
    pts = grid(Fraction(rate), 450)
    found = cadence_of(pts, FINE)

    assert found is not None
    assert found.rate == pytest.approx(float(Fraction(rate)), rel=1e-5)
    assert found.deviation_s <= FINE


def test_half_and_double_production_rates_are_exact() -> None:
    for rate in (NTSC_30 / 2, 2 * NTSC_60, NTSC_24 / 2, 5 * NTSC_24):
        found = cadence_of(grid(rate, 600, MS), MS)

        assert found is not None
        assert found.rate == rate


def test_a_short_clip_snaps_from_farther_as_its_ends_may_be_off() -> None:
    """Half a per cent, and 10 ms at either end: over one second 2 % at most."""
    rates = [cadence_of(grid(Fraction(rate), 31), FINE) for rate in ("30.5", "30.62")]

    assert [found and float(found.rate) for found in rates] == [30, pytest.approx(30.62, rel=1e-5)]


def test_a_rate_off_by_more_than_half_a_per_cent_does_not_snap() -> None:
    """Were it not for this limit, any grid would do for a handful of pictures."""
    pts = grid(Fraction("30.4"), 4)
    narrow = find_cadence(pts, FINE, snap=Fraction(1, 200), rewrite_s=Fraction(0), exact_s=2 * MS)

    assert narrow is not None
    assert float(narrow.rate) == pytest.approx(30.4, rel=1e-3)


@pytest.mark.parametrize(
    ("late_ms", "off_ms"), [("2", 1), ("4", 2), ("4.002", "2.001"), ("20", 10)]
)
def test_a_late_picture_is_half_its_lateness_off_the_best_grid(
    late_ms: str, off_ms: Fraction | str
) -> None:
    found = cadence_of(moved(25, late_ms, at=100), Fraction(1, 1_000_000))

    assert found == Cadence(rate=Fraction(25), deviation_s=Fraction(off_ms) * MS)


def test_more_than_ten_milliseconds_off_is_variable() -> None:
    tick = Fraction(1, 1_000_000)

    assert cadence_of(moved(25, "20", at=100), tick) is not None
    assert cadence_of(moved(25, "20.004", at=100), tick) is None


def test_an_odd_rate_has_to_be_kept_within_two_milliseconds() -> None:
    tick = Fraction(1, 1_000_000)
    near, off = moved(37, "3.9", at=50), moved(37, "4.1", at=50)

    assert cadence_of(near, tick) is not None
    assert cadence_of(off, tick) is None


def test_a_standard_rate_with_too_much_drift_is_its_own() -> None:
    """0.13 % in 20 s is 26 ms: no grid of 24 fits, its own does."""
    found = cadence_of(grid(Fraction("24.031"), 481), FINE)

    assert found is not None
    assert float(found.rate) == pytest.approx(24.031, rel=1e-5)


@pytest.mark.parametrize("pts", [[], [5], [5, 5], [9, 3]])
def test_pictures_without_a_step_have_no_cadence(pts: list[int]) -> None:
    assert cadence_of(pts, FINE) is None
    assert own_cadence(pts, FINE) is None


def test_pictures_hours_apart_have_no_cadence() -> None:
    assert cadence_of([0, 3600 * 90_000], FINE) is None


def test_an_uneven_run_is_variable() -> None:
    pts = [
        round((n / Fraction(30) + late) / FINE)
        for n, late in enumerate(uneven(Fraction(30), 300, 7))
    ]

    assert cadence_of(pts, FINE) is None


@widely()
@given(
    st.sampled_from(STANDARD), st.integers(120, 900), st.integers(0, 99), st.integers(-9, 10**12)
)
def test_jitter_up_to_ten_milliseconds_does_not_hide_a_standard_rate(
    rate: Fraction, count: int, seed: int, first: int
) -> None:
    late = jitter(Fraction("0.0099"), count, seed)
    pts = sorted(first + round((n / rate + late[n]) / FINE) for n in range(count))
    found = cadence_of(pts, FINE)

    assert found is not None
    assert abs(found.rate / rate - 1) <= Fraction(1, 500)
    assert found.deviation_s <= Fraction("0.01")


@widely()
@given(
    st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=40).map(sorted),
    ODD_RATES,
    st.integers(-40, 40),
)
def test_the_deviation_is_the_least_possible_one(pts: list[int], rate: Fraction, by: int) -> None:
    """No other place of the grid is nearer to its farthest picture."""
    least = deviation(pts, MS, rate)
    errors = [n * MS - slot / rate for slot, n in enumerate(pts)]
    centre = (max(errors) + min(errors)) / 2

    assert max(abs(error - centre) for error in errors) == least
    assert max(abs(error - centre - by * MS) for error in errors) >= least


@pytest.mark.parametrize(
    ("rate", "becomes"),
    [
        (24, 24), (25, 25), (30, 30), (48, 48), (50, 50), (60, 60), (NTSC_30, NTSC_30),
        (15, 30), (12, 24), (10, 30), (1, 24), (5, 25), (23, 46), (NTSC_30 / 2, NTSC_30),
        (NTSC_24, 24), (NTSC_24 / 2, 24), (NTSC_24 / 4, 24),
        (120, 60), (240, 60), (61, Fraction(61, 2)), (90, 45), (100, 50),
        (1000, Fraction(1000, 17)),
        (2 * NTSC_60, NTSC_60), (Fraction("60.06"), Fraction("30.03")),
    ],
)  # fmt: skip
def test_a_rate_outside_the_limits_becomes_a_whole_multiple_or_part(
    rate: Fraction | int, becomes: Fraction | int
) -> None:
    assert conforming_rate(Fraction(rate), Fraction(24), Fraction(60)) == becomes


def test_repeats_and_divisors_are_the_smallest() -> None:
    low, high = Fraction(24), Fraction(60)

    assert [repeats(Fraction(rate), low) for rate in (24, 23, 15, 12, 10, 1)] == [1, 2, 2, 2, 3, 24]
    assert [repeats(rate, low) for rate in (NTSC_24, NTSC_24 / 2, NTSC_24 - MS)] == [1, 2, 2]
    assert [divisor(Fraction(rate), high) for rate in (60, 61, 90, 120, 121, 240)] == [
        1, 2, 2, 2, 3, 4,
    ]  # fmt: skip


def test_no_rate_fits_where_whole_steps_jump_over_the_limits() -> None:
    assert conforming_rate(Fraction(20), Fraction(24), Fraction(30)) is None
    assert conforming_rate(Fraction(31), Fraction(24), Fraction(30)) is None
    assert conforming_rate(Fraction(31), Fraction(15), Fraction(30)) == Fraction(31, 2)


@widely()
@given(ODD_RATES)
def test_a_conforming_rate_is_inside_and_shows_every_picture_equally_long(rate: Fraction) -> None:
    low, high = Fraction(24), Fraction(60)
    becomes = conforming_rate(rate, low, high)

    assert becomes is not None
    assert low <= becomes <= high
    step = becomes / rate if rate < becomes else rate / becomes
    retimed = step / Fraction(1001, 1000)
    assert step.denominator == 1 or (retimed.denominator == 1 and becomes < low * 1001 / 1000)
    assert step == max(repeats(rate, low), divisor(rate, high)) or retimed == repeats(rate, low)


def test_times_and_rates_are_written_with_at_most_three_decimals() -> None:
    assert seconds_text(Fraction(1248, 100)) == "12.48 s"
    assert seconds_text(Fraction(15)) == "15 s"
    assert seconds_text(Fraction(1, 3)) == "0.333 s"
    assert rate_text(NTSC_30) == "29.97 fps"
    assert rate_text(Fraction(60)) == "60 fps"


@pytest.mark.parametrize(
    ("pts", "left_out"),
    [
        ([0, 3, 1, 2, 6, 4, 5], 0),
        ([0, 3, 1, 2, 6, 4], 2),  # 5 never came
        ([0, 3, 1, 2, 6], 1),
        ([0, 1, 2, 3, 5], 0),  # nothing is reordered: a picture may last longer
        ([0, 3, 1, 2, 7, 5, 6], 3),
        ([0, 4, 1, 3, 8, 5, 7, 12, 9], 0),  # uneven anyway
        ([0], 0),
        ([], 0),
    ],
)
def test_an_end_that_was_broken_off_is_seen(pts: list[int], left_out: int) -> None:
    assert open_end(pts) == left_out
