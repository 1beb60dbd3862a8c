"""How long to wait before the next try. Pure: no clock and no dice of its own."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

MAX_TRIES = 4
MAX_RETRY_AFTER_S = 60.0
"""A server that asks for more is not obeyed further: the caller has a deadline."""
_FIRST_S = 1.0
_LONGEST_S = 15.0


def pause_s(tries: int, dice: float, asked_s: float | None = None) -> float:
    """Seconds to wait after try number *tries* (from 1) failed.

    Doubles, with full jitter over its upper half, so that many clients do not come back together.
    *dice* is even over 0 to 1. *asked_s*, what the server asked for, is a floor.
    """
    longest = min(_LONGEST_S, _FIRST_S * 2.0 ** min(tries - 1, 10))
    own = longest * (0.5 + 0.5 * dice)
    return own if asked_s is None else max(own, min(asked_s, MAX_RETRY_AFTER_S))


def parse_retry_after(value: str | None, now_s: float) -> float | None:
    """Seconds that a ``Retry-After`` asks for: a number, or a date (RFC 9110, 10.2.3).

    *now_s* is Unix time. ``None`` for none, and for what cannot be read; the past is 0.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - now_s)


def poll_pause_s(
    polls: int, dice: float, *, shortest_s: float, waiting: int, per_minute: int
) -> float:
    """Seconds between look number *polls* (from 0) at a job and the next one.

    Grows to three times *shortest_s*; and so that *waiting* jobs together leave a fifth of the
    account's requests *per_minute* to others. A tenth of it is jitter.
    """
    own = shortest_s * min(1.15 ** min(polls, 8), 3.0)
    share = 60.0 * waiting / (0.8 * per_minute)
    return max(own, share) * (1.0 + 0.1 * dice)
