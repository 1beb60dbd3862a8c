"""Text from files and file names, made fit for a terminal. Pure."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

_KILO = 1000
_MINUTE_S = 60
_JOINERS = {"\u200c", "\u200d"}  # between letters of some scripts, and parts of emoji
_ELLIPSIS = "…"


def clean(text: str) -> str:
    r"""Show what a terminal would obey or hide: ESC becomes ``\x1b``, a line break ``\n``.

    Spaces of every width stay, line separators do not.
    """
    return "".join(
        c if c.isprintable() or c in _JOINERS or unicodedata.category(c) == "Zs" else ascii(c)[1:-1]
        for c in text
    )


def clean_lines(text: str) -> str:
    """As `clean`, for text of several lines."""
    return "\n".join(clean(line) for line in text.split("\n"))


def shorten(text: str, width: int) -> str:
    """*text* with its middle left out, if it has more than *width* characters; ends tell most."""
    if len(text) <= width:
        return text
    tail = max(1, width // 2)
    return text[: width - tail - 1] + _ELLIPSIS + text[-tail:]


def number_text(value: Fraction | float) -> str:
    """A number with at most three decimals: ``29.97``."""
    return f"{float(value):.3f}".rstrip("0").rstrip(".")


def seconds_text(value: Fraction | float) -> str:
    """A time in seconds: ``14.967 s``."""
    return f"{number_text(value)} s"


def taken_text(seconds: float) -> str:
    """How long work took: ``0.08 s``, ``3.2 s``, ``2:05``."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if round(seconds, 1) < _MINUTE_S:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    return f"{minutes}:{rest:02}"


def bytes_text(count: int) -> str:
    """A size in decimal units: ``6.1 MB``."""
    if count < _KILO:
        return f"{count} bytes"
    size, unit = count / _KILO, "kB"
    for larger in ("MB", "GB"):
        if size < _KILO:
            break
        size, unit = size / _KILO, larger
    return f"{size:.1f} {unit}"
