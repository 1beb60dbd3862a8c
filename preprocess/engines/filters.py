"""The filter chain of an encode, as text and as a graph. No text from outside enters."""

from __future__ import annotations

import math
import tempfile
from functools import cache
from typing import TYPE_CHECKING

import av
import av.filter

from preprocess import tonemap
from preprocess.geometry import Orientation, Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.filter.context import FilterContext

    from preprocess.plan import Colours, VideoEncoding

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
_AREA_FROM = 2.0
"""From this reduction on, averaging is as good as bicubic and costs a third of its time."""
_TO_BT709 = "out_color_matrix=bt709:out_range=limited"
_LUT = "lut3d"


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
        # Colour times alpha is the picture laid on black.
        steps += ["format=gbrap", "premultiply=inplace=1", "format=gbrp"]
    if encoding.crop is not None:
        box = encoding.crop
        steps += [*turn, f"crop={box.size.width}:{box.size.height}:{box.x}:{box.y}:exact=1"]
        steps += _scaled(encoding, encoding.scaled)
    else:
        size = encoding.scaled
        stored = Size(size.height, size.width) if encoding.orientation.swaps_sides else size
        steps += [*_scaled(encoding, stored), "format=yuv420p", *turn]
    if encoding.canvas != encoding.scaled:
        across = (encoding.canvas.width - encoding.scaled.width) // 4 * 2
        down = (encoding.canvas.height - encoding.scaled.height) // 4 * 2
        steps.append(
            f"pad={encoding.canvas.width}:{encoding.canvas.height}:{across}:{down}:color=black"
        )
    return ",".join([*steps, "setsar=1", "format=yuv420p"])


def _scaled(encoding: VideoEncoding, size: Size) -> tuple[str, ...]:
    """Scaled first, so that fewer pixels go through the LUT, and in BT.709."""
    if encoding.colours_in is None:
        return (f"{_scale(encoding, size)}:{_TO_BT709}",)
    # 12 bits: in 10 the dark steps of PQ are seen once they are gamma-coded.
    return (_scale(encoding, size), "format=gbrp12", _LUT, f"scale={_TO_BT709}")


def _scale(encoding: VideoEncoding, size: Size) -> str:
    flags = "area" if reduction(encoding) >= _AREA_FROM else "bicubic"
    parts = [f"scale={size.width}:{size.height}:flags={flags}"]
    matrix = _SWSCALE_MATRICES.get(encoding.matrix_in)
    if matrix is not None and not encoding.flatten:
        parts.append(f"in_color_matrix={matrix}")
        parts.append(f"in_range={'full' if encoding.full_range_in else 'limited'}")
    return ":".join(parts)


@cache
def _cube(colours: Colours) -> bytes:
    """Built once in the life of a worker."""
    return tonemap.cube(colours).encode()


def _add_lut(graph: av.filter.Graph, colours: Colours) -> FilterContext:
    """The filter takes nothing but a file, and has read it when it is there."""
    with tempfile.NamedTemporaryFile(suffix=".cube") as file:
        file.write(_cube(colours))
        file.flush()
        return graph.add(_LUT, file=file.name, interp="tetrahedral")


class Graph:
    """A filter graph that is built from the first picture and rebuilt if pictures change."""

    def __init__(self, encoding: VideoEncoding, threads: int) -> None:
        self._text = chain(encoding)
        self._colours = encoding.colours_in
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
            lut = self._colours if name == _LUT else None
            node = _add_lut(graph, lut) if lut else graph.add(name, arguments or None)
            last.link_to(node)
            last = node
        sink = graph.add("buffersink")
        last.link_to(sink)
        graph.configure()
        return graph
