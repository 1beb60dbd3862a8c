"""The filter chain of an encode, as text and as a graph. No text from outside enters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import av
import av.filter

from preprocess.geometry import Orientation, Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preprocess.plan import VideoEncoding

_TURNS = {
    Orientation.NORMAL: (),
    Orientation.CLOCKWISE: ("transpose=clock",),
    Orientation.COUNTERCLOCKWISE: ("transpose=cclock",),
    Orientation.HALF_TURN: ("hflip", "vflip"),
    Orientation.MIRRORED: ("hflip",),
    Orientation.UPSIDE_DOWN_MIRRORED: ("vflip",),
    Orientation.MIRRORED_CLOCKWISE: ("transpose=cclock_flip",),
    Orientation.MIRRORED_COUNTERCLOCKWISE: ("transpose=clock_flip",),
}
# Names that swscale's scale filter takes for a YCbCr matrix.
_SWSCALE_MATRICES = {
    "bt709": "bt709",
    "smpte170m": "smpte170m",
    "bt470bg": "bt470bg",
    "fcc": "fcc",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
}
_WIDE_PRIMARIES = {"bt2020", "smpte431", "smpte432", "smpte428", "film"}
_AREA_FROM = 2.0
"""From this reduction on, averaging is as good as bicubic and costs a third of its time."""


def reduction(encoding: VideoEncoding) -> float:
    """How many times smaller the picture becomes, per side."""
    source = encoding.crop.size if encoding.crop else encoding.oriented
    return math.sqrt(source.area / encoding.scaled.area)


def chain(encoding: VideoEncoding) -> str:
    """The filters of one picture, in order.

    Scaled before it is turned: fewer pixels to move. Values are numbers and fixed words.
    """
    steps: list[str] = []
    turn = _TURNS[encoding.orientation]
    if encoding.flatten:
        steps += _flattened(encoding)
    if encoding.crop is not None:
        box = encoding.crop
        steps += [*turn, f"crop={box.size.width}:{box.size.height}:{box.x}:{box.y}:exact=1"]
        steps.append(_scale(encoding, encoding.scaled))
    else:
        size = encoding.scaled
        stored = Size(size.height, size.width) if encoding.orientation.swaps_sides else size
        steps += [_scale(encoding, stored), "format=yuv420p", *turn]
    if encoding.primaries_in in _WIDE_PRIMARIES:
        steps.append(
            f"colorspace=all=bt709:iprimaries={encoding.primaries_in}"
            ":itrc=bt709:ispace=bt709:irange=tv:format=yuv420p"
        )
    if encoding.canvas != encoding.scaled:
        across = (encoding.canvas.width - encoding.scaled.width) // 4 * 2
        down = (encoding.canvas.height - encoding.scaled.height) // 4 * 2
        steps.append(
            f"pad={encoding.canvas.width}:{encoding.canvas.height}:{across}:{down}:color=black"
        )
    return ",".join([*steps, "setsar=1", "format=yuv420p"])


def _flattened(encoding: VideoEncoding) -> list[str]:
    """Lay the picture on white, as stills are, before anything mixes clear pixels with others.

    Colour times alpha is the picture laid on black, and the negative of white is black.
    """
    negative = "negate=components=r+g+b"
    scale = [":".join(["scale=flags=bicubic", *_colours_in(encoding)])]
    return [*scale, "format=gbrap", negative, "premultiply=inplace=1", negative, "format=gbrp"]


def _colours_in(encoding: VideoEncoding) -> list[str]:
    """How the scaler has to read the source; RGB needs no word, and some of it is spoilt by one."""
    matrix = _SWSCALE_MATRICES.get(encoding.matrix_in)
    if matrix is None:
        return []
    return [
        f"in_color_matrix={matrix}",
        f"in_range={'full' if encoding.full_range_in else 'limited'}",
    ]


def _scale(encoding: VideoEncoding, size: Size) -> str:
    flags = "area" if reduction(encoding) >= _AREA_FROM else "bicubic"
    parts = [f"scale={size.width}:{size.height}:flags={flags}"]
    parts += [] if encoding.flatten else _colours_in(encoding)
    parts.append("out_color_matrix=bt709:out_range=limited")
    return ":".join(parts)


class Graph:
    """A filter graph that is built from the first picture and rebuilt if pictures change."""

    def __init__(self, encoding: VideoEncoding, threads: int) -> None:
        self._text = chain(encoding)
        self._threads = threads
        self._shape: tuple[int, int, str] | None = None
        self._graph: av.filter.Graph | None = None

    def filter(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Filter one picture; one comes out for each that goes in."""
        shape = (frame.width, frame.height, frame.format.name)
        if self._graph is None or shape != self._shape:
            self._graph = self._build(frame)
            self._shape = shape
        self._graph.vpush(frame)
        while True:
            try:
                yield self._graph.vpull()
            except (BlockingIOError, EOFError):
                return

    def _build(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        graph.threads = self._threads
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        )
        last = source
        for step in self._text.split(","):
            name, _, arguments = step.partition("=")
            node = graph.add(name, arguments or None)
            last.link_to(node)
            last = node
        sink = graph.add("buffersink")
        last.link_to(sink)
        graph.configure()
        return graph
