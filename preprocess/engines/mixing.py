"""A run of decoded sound, brought to the result's rate and channels."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.filter import Graph

from preprocess.filtergraph import Step
from preprocess.soundgraph import HOLE_S, conversion, mixable

if TYPE_CHECKING:
    from collections.abc import Iterator


class Segment:
    """Sound without holes and of one kind, converted as one."""

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
    for step in _steps(frame.layout, layout, rate):
        added = graph.add(step.name, step.arguments or None)
        last.link_to(added)
        last = added
    graph.configure()
    return graph


def _steps(source: av.AudioLayout, layout: str, rate: int) -> Iterator[Step]:
    mixed = source.nb_channels > av.AudioLayout(layout).nb_channels
    yield from mixable(source.name, source.nb_channels, mixed=mixed)
    yield from conversion(layout, rate, mixed=mixed)
    yield Step.plain("abuffersink")
