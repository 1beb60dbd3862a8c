"""Prices, by figures worked out by hand from the provider's table (model page, 2026)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from pipeline.errors import CostTooHigh
from pipeline.price import Quote, check_cost, quote, usd_text
from pipeline.request import GenerationRequest, resolve
from preprocess import load_profile

PROFILE = load_profile("seedance-2-0-mini")


def quoted(input_s: Fraction | None = None, **asked: Any) -> Quote:  # noqa: ANN401 - parameters
    return quote(resolve(GenerationRequest(prompt="x", **asked), PROFILE), input_s)


def usd(priced: Quote) -> tuple[float, float]:
    return float(priced.min_usd), float(priced.max_usd)


@pytest.mark.parametrize(
    ("asked", "input_s", "low", "high"),
    [
        ({}, None, 0.75, 0.75),  # 5 s at 0.150
        ({"duration": 15}, None, 2.25, 2.25),
        ({"duration": 4, "resolution": "480p"}, None, 0.28, 0.28),
        ({"image": "a", "duration": 10, "resolution": "480p"}, None, 0.70, 0.70),
        ({"custom_duration": False}, None, 0.60, 2.25),  # 4 to 15 s
        # 0.359 a second with a clip; its own seconds may be billed too
        ({"video": "a", "duration": 15}, Fraction(15), 5.385, 10.77),
        ({"video": "a"}, Fraction(5, 2), 1.795, 2.6925),
        ({"video": "a", "resolution": "480p"}, Fraction(10), 0.835, 2.505),
        ({"video": "a", "custom_duration": False}, Fraction(2), 1.436, 6.103),
        # not measured yet: the longest that any level accepts, 15.2 s
        ({"video": "a"}, None, 1.795, 7.2518),
    ],
)
def test_a_price_is_seconds_times_rate(
    asked: dict[str, Any], input_s: Fraction | None, low: float, high: float
) -> None:
    assert usd(quoted(input_s, **asked)) == (pytest.approx(low), pytest.approx(high))


def test_what_it_may_cost_at_most_is_compared() -> None:
    priced = quoted(Fraction(5, 2), video="a")  # 1.795 to 2.6925

    check_cost(priced, None)
    check_cost(priced, "2.6925")
    with pytest.raises(CostTooHigh, match=r"may cost \$2\.70 .*allowed: \$2\.00") as caught:
        check_cost(priced, 2)
    assert caught.value.code == "cost_too_high"


@pytest.mark.parametrize("exact", [0.35, Decimal("0.35"), "0.35", Fraction(7, 20)], ids=repr)
def test_the_very_price_is_allowed_however_it_is_written(exact: Any) -> None:  # noqa: ANN401 - many
    """As a binary fraction 0.35 is less than 5 times 0.07."""
    check_cost(quoted(resolution="480p"), exact)


def test_amounts_are_never_shown_too_low() -> None:
    assert [usd_text(Fraction(n, 1000)) for n in (0, 1, 2505, 2510)] == [
        *("$0.00", "$0.01", "$2.51", "$2.51"),
    ]


def test_the_sentence_says_what_is_not_known() -> None:
    assert quoted().sentence() == "$0.75: 5 s at $0.150 a second"
    told = quoted(Fraction(5, 2), video="a", custom_duration=False).sentence()
    assert told == (
        "$1.44 to $6.29: 4 to 15 s at $0.359 a second; "
        "the most if the 2.5 s of the clip are billed too"
    )
