"""Where a run of packets can end so that it stands alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocess.timing import clean_ends
from tests.decide.clips import Gop, Shape, closed, decode_order, gops_of, opened
from tests.decide.searching import widely
from tests.strategies import gops


def order_of(*parts: Gop) -> list[int]:
    return decode_order(parts)[0]


def test_decode_orders_are_those_of_real_encoders() -> None:
    assert order_of(closed(7, 2)) == [0, 3, 1, 2, 6, 4, 5]
    assert order_of(Gop(Shape.PYRAMID, 9, 3)) == [0, 4, 2, 1, 3, 8, 6, 5, 7]
    assert order_of(opened(6, 2)) == [2, 0, 1, 5, 3, 4]
    assert order_of(Gop(Shape.INTRA, 3)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("gop", "ends"),
    [
        (closed(5, 0), [1, 2, 3, 4, 5]),
        (closed(10, 2), [1, 4, 7, 10]),
        (closed(9, 1), [1, 3, 5, 7, 9]),
        (Gop(Shape.PYRAMID, 9, 3), [1, 5, 9]),
        (Gop(Shape.INTRA, 4), [1, 2, 3, 4]),
        (closed(1), [1]),
    ],
)
def test_a_closed_gop_is_clean_after_every_mini_gop(gop: Gop, ends: list[int]) -> None:
    assert clean_ends(order_of(gop)) == ends


def test_an_open_gop_is_not_clean_between_its_key_picture_and_the_leading_ones() -> None:
    """The key picture comes first and is shown third: cut there, two pictures are missing."""
    order = order_of(closed(4, 2), opened(6, 2))

    assert order == [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]
    assert clean_ends(order) == [1, 4, 7, 10]


def test_a_cut_by_time_of_an_ordinary_stream_is_not_clean() -> None:
    """What `ffmpeg -c copy -t 15` keeps of 30 fps with three B pictures: 452 packets."""
    order = order_of(*gops_of(Gop(Shape.PYRAMID, 250, 3), 900))
    ends = clean_ends(order)

    assert 450 not in ends
    assert 452 not in ends
    assert max(n for n in ends if n <= 450) == 447


def test_one_key_picture_is_enough_for_boundaries_everywhere() -> None:
    order = order_of(closed(1000, 2))

    assert clean_ends(order)[:4] == [1, 4, 7, 10]
    assert clean_ends(order)[-1] == 1000


def test_nothing_has_no_end() -> None:
    assert clean_ends([]) == []


def test_equal_time_stamps_prove_no_boundary() -> None:
    assert clean_ends([0, 1, 1, 2]) == [1, 3, 4]


def brute_force(pts: list[int]) -> list[int]:
    """N is clean iff the first n are exactly the n earliest and all later ones are later."""
    ranked = sorted(pts)
    return [
        n
        for n in range(1, len(pts) + 1)
        if sorted(pts[:n]) == ranked[:n] and all(late > max(pts[:n]) for late in pts[n:])
    ]


@widely(300)
@given(st.lists(st.integers(0, 30), max_size=30))
def test_clean_ends_are_exactly_the_provable_ones_of_any_run(pts: list[int]) -> None:
    assert clean_ends(pts) == brute_force(pts)


@widely()
@given(st.integers(1, 80).flatmap(gops))
def test_clean_ends_are_exactly_the_provable_ones_of_coded_streams(coded: list[Gop]) -> None:
    order = decode_order(coded)[0]

    assert sorted(order) == list(range(len(order)))
    assert clean_ends(order) == brute_force(order)
