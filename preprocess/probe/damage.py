"""Pictures that are damaged or end early: what the demuxer says, and what its word is worth."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.probe.tables import ClockError, window_bounds
from preprocess.timing import seconds_text

if TYPE_CHECKING:
    from preprocess.facts import PictureTable
    from preprocess.probe.last_gop import LastGop
    from preprocess.probe.tables import Source

_UNSIZED = {"mpegts", "mpeg", "asf"}
"""Containers whose demuxers do not say that a picture ends early; others do (FFmpeg 8.1.2)."""
_CLOCKED = {"mpegts", "mpeg"}
_ANIMATED = {"gif", "apng"}
FLAG_LAG = 2
"""A flag stands at most so many pictures before the one that follows the jump (FFmpeg 8.1.2)."""
_BACK_S = Fraction(1, 2)
"""Decode times of one recording never go back; less than this is a muxer's rounding."""


def breaks_off(source: Source, last_gop: LastGop, *, flagged: bool) -> bool:
    """Whether a recording ends inside its last picture, and was never longer.

    *flagged*: the demuxer says so. Where an index promises more, the file is not all there.
    """
    if source.movie is not None and not source.movie.fragmented:
        return False
    name = source.container.format.name
    if name in _ANIMATED:
        return False
    return last_gop.ends_torn() if name in _UNSIZED else flagged


def ends_in_block(source: Source, sizes: list[int]) -> bool:
    """Whether raw DV ends inside a block, which is a picture.

    FFmpeg 8.1 fills it with what the one before it held, and says nothing. This can go when its
    packet is marked as corrupt, as others are.
    """
    named = source.container.format.name == "dv"
    return named and bool(sizes) and source.container.size % sizes[-1] > 0


def counts_packets(source: Source) -> bool:
    """Whether a flag only says that a counter jumped: packets were lost, or recordings joined."""
    return source.container.format.name == "mpegts"


def check_clock(source: Source, before_s: Fraction, now_s: Fraction) -> None:
    """Decode times of a stream go on.

    Raises:
        ClockError: they jump back, as where recordings were joined byte by byte.
    """
    if source.container.format.name in _CLOCKED and now_s < before_s - _BACK_S:
        at, to = seconds_text(before_s), seconds_text(now_s)
        msg = f"the clock jumps back from {at} to {to}, as where recordings are joined"
        raise ClockError(msg)


def missing(source: Source, table: PictureTable, flagged: list[int]) -> int:
    """Pictures of the window that are not whole by the demuxer's word.

    Decoders do not notice everything: that of HEVC next to nothing, that of H.264 not the loss of
    a few macroblocks (FFmpeg 8.1.2).
    """
    if source.container.format.name not in _UNSIZED:
        return len(flagged)
    if not counts_packets(source):
        return 0  # only the last picture can be torn, and the decoder was asked about that
    keys = {sync.index for sync in table.sync}
    inside = (n for n in flagged if _is_near_window(source, table, n))
    # Where one recording ends and the next begins with a key picture, nothing needs to be lost.
    return sum(keys.isdisjoint(range(n + 1, n + 1 + FLAG_LAG)) for n in inside)


def _is_near_window(source: Source, table: PictureTable, n: int) -> bool:
    """Whether picture *n* is shown in the window, or may be referred to there."""
    length_s = table.since_origin_s(max(table.pts) + table.last_duration)
    start_s, end_s = window_bounds(source.request, length_s)
    start_s = max((s for s in _key_times(table) if s <= start_s), default=start_s)
    lag_s = FLAG_LAG * table.last_duration * table.time_base
    return start_s - lag_s <= table.since_origin_s(table.pts[n]) < end_s


def _key_times(table: PictureTable) -> list[Fraction]:
    return [table.since_origin_s(table.pts[sync.index]) for sync in table.sync]
