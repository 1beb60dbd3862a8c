"""A run of decoded sound, brought to the result's rate and channels."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.filter import Graph

from preprocess.probe.spans import HOLE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_NAMED = 8
"""Channels that FFmpeg gives places by their number alone where the file gives none: up to 7.1."""
_LIMITER = "limit=0.891:level=0:latency=1"
"""-1 dB of full scale, the most that EBU R 128 (2023) allows a peak; nothing quieter is touched."""


class Segment:
    """Sound without holes and of one kind, converted as one.

    More channels are mixed to two as ITU-R BS.775-3 (2012) has it, which is what FFmpeg does:
    centre and surrounds at -3 dB, no low-frequency channel. Loudness stays what it was, so that
    the sum can pass full scale; there a limiter sees to it that nothing is clipped.
    """

    def __init__(self, frame: av.AudioFrame, time_s: Fraction, layout: str, rate: int) -> None:
        self._kind = _kind(frame)
        self._start_s = time_s
        self._tick = Fraction(1, frame.sample_rate)
        self._taken = 0
        self._graph = _graph(frame, layout, rate)

    @property
    def end_s(self) -> Fraction:
        """Where the samples end, counted: time stamps that drift away from them start anew."""
        return self._start_s + self._taken * self._tick

    def continues(self, frame: av.AudioFrame, time_s: Fraction) -> bool:
        """Whether *frame* follows this run."""
        return self._kind == _kind(frame) and abs(time_s - self.end_s) <= HOLE_S

    def convert(self, frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
        """Take *frame*; yield what is ready."""
        # Placement is ours: the time stamps of the file would move samples once more.
        frame.pts, frame.time_base = self._taken, self._tick
        self._taken += frame.samples
        self._graph.push(frame)
        yield from self._ready()

    def finish(self) -> Iterator[av.AudioFrame]:
        """Yield what the filters hold back."""
        self._graph.push(None)
        yield from self._ready()

    def _ready(self) -> Iterator[av.AudioFrame]:
        while True:
            try:
                frame = self._graph.pull()
            except (BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, av.AudioFrame)  # noqa: S101 - nothing else went in
            yield frame


def _kind(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _graph(frame: av.AudioFrame, layout: str, rate: int) -> Graph:
    graph = Graph()
    last = graph.add_abuffer(
        format=frame.format.name,
        sample_rate=frame.sample_rate,
        layout=frame.layout.name,
        time_base=Fraction(1, frame.sample_rate),
    )
    for name, arguments in (*_filters(frame.layout, layout, rate), ("abuffersink", None)):
        added = graph.add(name, arguments)
        last.link_to(added)
        last = added
    graph.configure()
    return graph


def _filters(source: av.AudioLayout, layout: str, rate: int) -> Iterator[tuple[str, str]]:
    target = f"sample_fmts=fltp:sample_rates={rate}:channel_layouts={layout}"
    mixed = source.nb_channels > av.AudioLayout(layout).nb_channels
    spread = _spread(source) if mixed else None
    if spread is not None:
        yield "pan", spread
    yield "aformat", target
    if mixed:
        yield "alimiter", _LIMITER
        yield "aformat", target


def _spread(source: av.AudioLayout) -> str | None:
    """How channels that BS.775 knows nothing of become left and right."""
    count = source.nb_channels
    if source.name.startswith("ambisonic"):
        return "stereo|c0=c0|c1=c0"  # W, the sound from all around
    if count > _MOST_NAMED and all(channel.name == "NONE" for channel in source.channels):
        # Tracks of a recorder, side by side: odd ones left, even ones right, as mixing desks do.
        left = "+".join(f"{1 / -(-count // 2)}*c{n}" for n in range(0, count, 2))
        right = "+".join(f"{1 / (count // 2)}*c{n}" for n in range(1, count, 2))
        return f"stereo|c0={left}|c1={right}"
    return None
