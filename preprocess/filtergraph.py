"""The filter chain of an encode, as FFmpeg's text. Pure; no text from outside enters."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from preprocess.geometry import Orientation, Size, centred_crop
from preprocess.plan import BLUR_SHARE

if TYPE_CHECKING:
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
}
# One picture a frame, and only of frames that are marked as two fields: streams are mixed.
_DEINTERLACER = "bwdif=mode=send_frame:parity=auto:deint=interlaced"
_AREA_FROM = 2.0
"""From this reduction on, averaging is as good as bicubic and costs a third of its time."""
_SKIP_DEBLOCKING_FROM = 2.0
"""Where the picture shrinks this much, the decoder's deblocking is averaged away: 20-28 % of 4K
decoding for at most 0.5 VMAF at a reduction of 3."""
_TO_BT709 = "out_color_matrix=bt709:out_range=limited"
LUT = "lut3d"


def _reduction(encoding: VideoEncoding) -> float:
    """How many times smaller the picture becomes, per side."""
    source = encoding.crop.size if encoding.crop else encoding.oriented
    return math.sqrt(source.area / encoding.scaled.area)


def skips_deblocking(encoding: VideoEncoding) -> bool:
    """Whether the decoder may leave the edges of blocks as they are."""
    return _reduction(encoding) >= _SKIP_DEBLOCKING_FROM


def chain(encoding: VideoEncoding) -> str:
    """The filters of one picture, in order. Values are numbers and fixed words."""
    return ",".join([*before_choosing(encoding), *of_chosen(encoding)])


def before_choosing(encoding: VideoEncoding) -> list[str]:
    """Filters that have to see the pictures that are left out, too."""
    return [_DEINTERLACER] if encoding.deinterlace else []


def of_chosen(encoding: VideoEncoding) -> list[str]:
    """Filters of what is written. Scaled before it is turned: fewer pixels to move."""
    steps: list[str] = []
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
    return [*steps, "setsar=1", "format=yuv420p"]


def _converted(encoding: VideoEncoding, size: Size) -> tuple[str, ...]:
    """At its size and in BT.709; scaled first, so that fewer pixels go through the LUT."""
    if encoding.colours_in is None:
        return (f"{_scale(encoding, size)}:{_TO_BT709}",)
    # lut3d has vector code for 16 bits; 10 to 14 take it four times as long (libavfilter 11.14).
    return (_scale(encoding, size), "format=gbrp16", LUT, f"scale={_TO_BT709}")


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
    flags = "area" if _reduction(encoding) >= _AREA_FROM else "bicubic"
    parts = [f"scale={size.width}:{size.height}:flags={flags}"]
    parts += [] if encoding.flatten else _colours_in(encoding)
    return ":".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One filter of a graph, in the words of FFmpeg's syntax."""

    name: str
    arguments: str
    inputs: tuple[str, ...]
    """Labels; none: what comes out of the step before."""
    outputs: tuple[str, ...]
    """Labels; none: there is one, for the next step."""

    @classmethod
    def plain(cls, name: str, arguments: str = "") -> Step:
        """A filter between the one before and the one after."""
        return cls(name=name, arguments=arguments, inputs=(), outputs=())


_STEP = re.compile(r"((?:\[\w+\])*)([^\[\]=]+)=?([^\[\]]*)((?:\[\w+\])*)")


def steps(text: str) -> list[Step]:
    """The filters of *text*, which is ours.

    FFmpeg's syntax: filters between commas, chains between semicolons, ``[pads]`` at their ends.
    """
    return [_step(part) for part in re.split("[,;]", text)]


def _step(text: str) -> Step:
    match = _STEP.fullmatch(text)
    assert match is not None  # noqa: S101 - the text is ours
    inputs, name, arguments, outputs = match.groups()
    return Step(name=name, arguments=arguments, inputs=_labels(inputs), outputs=_labels(outputs))


def _labels(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text))
