"""The filter chain of an encode, as text and as a graph. No text from outside enters."""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import av
import av.filter

from preprocess import tonemap
from preprocess.geometry import Orientation, Size, centred_crop, inner_size, rescaled
from preprocess.plan import BLUR_SHARE

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
}
# One picture a frame, and only of frames that are marked as two fields: streams are mixed.
_DEINTERLACER = "bwdif=mode=send_frame:parity=auto:deint=interlaced"
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
    steps = [_DEINTERLACER] if encoding.deinterlace else []
    turn = _TURNS[encoding.orientation]
    if encoding.flatten:
        steps += _flattened(encoding)
    if encoding.crop is not None:
        box = encoding.crop
        steps += [*turn, f"crop={box.size.width}:{box.size.height}:{box.x}:{box.y}:exact=1"]
        steps += _converted(encoding, encoding.scaled)
    else:
        size = encoding.scaled
        stored = Size(size.height, size.width) if encoding.orientation.swaps_sides else size
        steps += [*_converted(encoding, stored), "format=yuv420p", *turn]
    if encoding.canvas != encoding.scaled:
        steps.append(_padded(encoding))
    return ",".join([*steps, "setsar=1", "format=yuv420p"])


def _converted(encoding: VideoEncoding, size: Size) -> tuple[str, ...]:
    """At its size and in BT.709; scaled first, so that fewer pixels go through the LUT."""
    if encoding.colours_in is None:
        return (f"{_scale(encoding, size)}:{_TO_BT709}",)
    # lut3d has vector code for 16 bits; 10 to 14 take it four times as long (libavfilter 11.14).
    return (_scale(encoding, size), "format=gbrp16", _LUT, f"scale={_TO_BT709}")


def _padded(encoding: VideoEncoding) -> str:
    """Black around the picture, or the middle of it, enlarged and blurred as stills have it.

    The blur is made at an eighth of the size, where it costs next to nothing, and at full chroma:
    `gblur` counts the pixels of each plane.
    """
    picture, canvas = encoding.scaled, encoding.canvas
    across = (canvas.width - picture.width) // 4 * 2
    down = (canvas.height - picture.height) // 4 * 2
    if not encoding.blur:
        return f"pad={canvas.width}:{canvas.height}:{across}:{down}:color=black"
    cover = centred_crop(picture, canvas.aspect).size
    small = Size(max(2, canvas.width // 16 * 2), max(2, canvas.height // 16 * 2))
    sigma = BLUR_SHARE * max(small.width, small.height)
    return (
        f"split[picture][cover];[cover]crop={cover.width}:{cover.height},"
        f"scale={small.width}:{small.height}:flags=area,format=yuv444p,gblur=sigma={sigma:g},"
        f"scale={canvas.width}:{canvas.height}:flags=bilinear[behind];"
        f"[behind][picture]overlay={across}:{down}:format=yuv420"
    )


def _flattened(encoding: VideoEncoding) -> list[str]:
    """Lay the picture on white, as stills are, before anything mixes clear pixels with others.

    Colour times alpha is the picture laid on black, and the negative of white is black. Where no
    range is said, `premultiply` takes RGB for limited (FFmpeg 8.1.2).
    """
    negative = "negate=components=r+g+b"
    scale = ":".join(["scale=flags=bicubic", *_colours_in(encoding)])
    return [
        scale,
        "format=gbrap",
        "setparams=range=full",
        negative,
        "premultiply=inplace=1",
        negative,
        "format=gbrp",
    ]


def _colours_in(encoding: VideoEncoding) -> list[str]:
    """How the scaler has to read the source, if it is YCbCr."""
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
    return ":".join(parts)


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
_STEP = re.compile(r"((?:\[\w+\])*)([^\[\]=]+)=?([^\[\]]*)((?:\[\w+\])*)")


def _linked(
    graph: av.filter.Graph, text: str, source: FilterContext, colours: Colours | None
) -> FilterContext:
    """Add the filters of *text* behind *source*; the last one.

    FFmpeg's syntax: filters between commas, chains between semicolons, ``[pads]`` at their ends.
    The LUT it speaks of is that of *colours*.
    """
    last = source
    pads: dict[str, tuple[FilterContext, int]] = {}
    for step in re.split("[,;]", text):
        match = _STEP.fullmatch(step)
        assert match is not None  # noqa: S101 - the text is ours
        inputs, name, arguments, outputs = match.groups()
        lut = colours if name == _LUT else None
        node = _added_lut(graph, lut) if lut else graph.add(name, arguments or None)
        feeds = [pads.pop(label) for label in _labels(inputs)] or [(last, 0)]
        for number, (feed, pad) in enumerate(feeds):
            feed.link_to(node, pad, number)
        pads.update({label: (node, number) for number, label in enumerate(_labels(outputs))})
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
        return graph.add(_LUT, file=file.name, interp="tetrahedral")


def _labels(text: str) -> list[str]:
    return re.findall(r"\w+", text)


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
