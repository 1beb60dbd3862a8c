"""What a generation will cost, before anything is sent. Pure.

Sums are exact: `Fraction` US dollars.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.errors import CostTooHigh, ErrorCode
from preprocess import Limits

if TYPE_CHECKING:
    from pipeline.request import Resolved
    from preprocess import Profile

Usd = int | float | str | Decimal | Fraction
"""An amount as callers write it; a float means the decimal that it prints as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Seconds and price of one generation: what it costs at least, and at most."""

    usd_per_s: Fraction
    min_output_s: int
    max_output_s: int
    """Above the former where the model picks the length."""
    max_input_s: Fraction
    """Of the clip that is sent; 0 without one. Whether it is billed is not known (2026)."""

    @property
    def min_usd(self) -> Fraction:
        """The shortest output alone."""
        return self.usd_per_s * self.min_output_s

    @property
    def max_usd(self) -> Fraction:
        """The longest output, and the clip's seconds too."""
        return self.usd_per_s * (self.max_output_s + self.max_input_s)

    def sentence(self) -> str:
        """The quote for people."""
        seconds = _span(str(self.min_output_s), str(self.max_output_s))
        price = _span(usd_text(self.min_usd), usd_text(self.max_usd))
        text = f"{price}: {seconds} s at ${float(self.usd_per_s):.3f} a second"
        if self.max_input_s:
            text += f"; the most if the {float(self.max_input_s):g} s of the clip are billed too"
        return text


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def usd_text(amount: Fraction) -> str:
    """An amount for people, never less than it is: ``$2.51``."""
    cents = -(-amount.numerator * 100 // amount.denominator)
    return f"${cents / 100:.2f}"


def quote(resolved: Resolved, input_s: Fraction | None = None) -> Quote:
    """The price of a request.

    *input_s*: length of the clip as it is sent; as long as that is not known, the longest that
    could be.
    """
    profile, parameters = resolved.profile, resolved.parameters
    with_video = "video" in resolved.media
    rates = profile.rates[str(parameters["resolution"])]
    low, high = _output_s(resolved)
    longest = _longest(profile) if input_s is None else input_s
    return Quote(
        usd_per_s=rates.of(with_video=with_video),
        min_output_s=low,
        max_output_s=high,
        max_input_s=longest if with_video else Fraction(0),
    )


def _output_s(resolved: Resolved) -> tuple[int, int]:
    given = resolved.parameters.get("duration")
    if given is not None:
        return int(given), int(given)
    limits = resolved.profile.parameters["duration"]
    assert limits.min is not None  # noqa: S101 - a length that is picked has a range
    assert limits.max is not None  # noqa: S101 - as above
    return limits.min, limits.max


def _longest(profile: Profile) -> Fraction:
    """The longest clip that is accepted at any level."""
    return max(profile.accept(level).max_duration_s for level in Limits)


def check_cost(priced: Quote, max_usd: Usd | None) -> None:
    """Refuse what may cost more than *max_usd*; ``None``: whatever it costs.

    Raises:
        CostTooHigh: it may.
        ValueError: *max_usd* is no amount.
    """
    if max_usd is None:
        return
    allowed = Fraction(str(max_usd))
    if priced.max_usd > allowed:
        msg = (
            f"this may cost {usd_text(priced.max_usd)} ({priced.sentence()}); allowed: "
            f"{usd_text(allowed)}. Choose a shorter duration or a lower resolution, or allow more."
        )
        raise CostTooHigh(ErrorCode.COST_TOO_HIGH, msg)
