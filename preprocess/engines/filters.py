"""The filter chain of an encode as a graph, built anew where pictures change."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import av
import av.filter

from preprocess import tonemap
from preprocess.filtergraph import LUT, chain, steps
from preprocess.geometry import Size, inner_size, rescaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.filter.context import FilterContext

    from preprocess.plan import Colours, VideoEncoding


class Graph:
    """A filter graph that is built from the first picture, and anew where pictures change.

    It may hold pictures back, but lets each one through, in order.
    """

    def __init__(self, encoding: VideoEncoding, threads: int) -> None:
        self._encoding = encoding
        self._threads = threads
        self._shape: tuple[int, int, str] | None = None
        self._graph: av.filter.Graph | None = None
        self._count = 0

    def filter(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Put in one picture; what is ready comes out."""
        shape = (frame.width, frame.height, frame.format.name)
        if shape != self._shape:
            yield from self.finish()
            self._graph = self._build(frame)
            self._shape = shape
        assert self._graph is not None  # noqa: S101 - built with the first shape
        # Branches meet again by time, which a clip that is repeated does not keep.
        frame.pts, frame.time_base = self._count, _STEP_S
        self._count += 1
        self._graph.vpush(frame)
        yield from _ready(self._graph)

    def finish(self) -> Iterator[av.VideoFrame]:
        """Nothing more comes in: what was held back comes out."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from _ready(self._graph)
        self._graph = self._shape = None

    def _build(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        graph.threads = self._threads
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=_STEP_S
        )
        encoding = refitted(self._encoding, Size(frame.width, frame.height))
        last = _linked(graph, chain(encoding), source, encoding.colours_in)
        last.link_to(graph.add("buffersink"))
        graph.configure()
        return graph


_STEP_S = Fraction(1, 60)


def _linked(
    graph: av.filter.Graph, text: str, source: FilterContext, colours: Colours | None
) -> FilterContext:
    """Add the filters of *text* behind *source*; the last one.

    The LUT it speaks of is that of *colours*.
    """
    last = source
    pads: dict[str, tuple[FilterContext, int]] = {}
    for step in steps(text):
        lut = colours if step.name == LUT else None
        node = _added_lut(graph, lut) if lut else graph.add(step.name, step.arguments or None)
        feeds = [pads.pop(label) for label in step.inputs] or [(last, 0)]
        for number, (feed, pad) in enumerate(feeds):
            feed.link_to(node, pad, number)
        pads.update({label: (node, number) for number, label in enumerate(step.outputs)})
        last = node
    return last


@cache
def _cube(colours: Colours) -> bytes:
    """Built once in the life of a worker."""
    return tonemap.cube(colours).encode()


def _added_lut(graph: av.filter.Graph, colours: Colours) -> FilterContext:
    """The filter takes nothing but a file, and has read it when it is there."""
    with tempfile.NamedTemporaryFile(suffix=".cube") as file:
        file.write(_cube(colours))
        file.flush()
        return graph.add(LUT, file=file.name, interp="tetrahedral")


def _ready(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (BlockingIOError, EOFError):
            return


def refitted(encoding: VideoEncoding, stored: Size) -> VideoEncoding:
    """*encoding* for pictures of another stored size, as streams have that change it midway.

    The same shape is scaled to the same place; another one is shown whole, padded.
    """
    turned = Size(stored.height, stored.width) if encoding.orientation.swaps_sides else stored
    planned = encoding.oriented
    if turned == planned or not turned.area:
        return encoding
    if abs(float(turned.aspect / planned.aspect) - 1) <= _SAME_SHAPE:
        crop = rescaled(encoding.crop, planned, turned) if encoding.crop else None
        return replace(encoding, oriented=turned, crop=crop)
    kept = encoding.crop.size if encoding.crop else planned
    sample_aspect = encoding.scaled.aspect / kept.aspect
    scaled = inner_size(encoding.canvas, turned.aspect * sample_aspect, 2)
    return replace(encoding, oriented=turned, crop=None, scaled=scaled)


_SAME_SHAPE = 0.01
"""Encoders that halve a picture round its sides: 1 % is 5 rows of 480."""
