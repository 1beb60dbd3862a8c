"""Every way to store a colour ends as the BT.709 code of that colour."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import av.filter
import pytest
from av.video.reformatter import ColorRange

from preprocess import ClipPlan, Intent
from preprocess.engines.filters import Graph
from preprocess.geometry import Size
from preprocess.planner import decide
from tests.decide.clips import PROFILE, clip

if TYPE_CHECKING:
    from preprocess.plan import VideoEncoding

RED, GREY = (200, 40, 40), (120, 120, 120)
COLOURED = (
    *("rgb24", "bgr24", "rgba", "bgra", "argb", "0rgb", "gbrp", "gbrp10le", "gbrap", "rgb48le"),
    *("yuv420p", "yuv422p", "yuv444p", "yuv410p", "yuv411p", "yuv440p", "nv12", "uyvy422"),
    *("yuv420p10le", "yuv422p10le", "yuv444p12le", "yuva420p", "yuva444p10le", "yuvj420p"),
)
GREYS = ("gray", "gray10le", "gray16le", "ya8")
ALPHA = {"rgba", "bgra", "argb", "gbrap", "yuva420p", "yuva444p10le", "ya8"}
HALF = 128
SIZES = (Size(641, 641), Size(2, 2), Size(1281, 721))
"""Odd ones, and one that is enlarged 320 times."""


def is_full(pixel_format: str) -> bool:
    return pixel_format.startswith(("yuvj", "gray", "ya8"))


def patch(pixel_format: str, size: Size, colour: tuple[int, int, int]) -> av.VideoFrame:
    """One colour, in BT.601 where the format has a matrix; half clear where it can be."""
    data = bytes((*colour, HALF if pixel_format in ALPHA else 255)) * size.area
    frame = av.VideoFrame.from_bytes(data, size.width, size.height, format="rgba")
    levels = ColorRange.JPEG if is_full(pixel_format) else ColorRange.MPEG
    return frame.reformat(format=pixel_format, dst_colorspace="itu601", dst_color_range=levels)


def encoding(pixel_format: str, size: Size) -> VideoEncoding:
    """What a clip of such pictures is told to become."""
    facts = clip(
        4,
        Fraction(24),
        coded=size,
        codec="rawvideo",
        pixel_format=pixel_format,
        color_matrix="smpte170m",
        full_range=is_full(pixel_format),
        alpha=pixel_format in ALPHA,
    )
    plan = decide(facts, PROFILE, Intent())
    assert isinstance(plan, ClipPlan), plan
    assert plan.encoding is not None
    return plan.encoding


def codes(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """Luma, Cb and Cr of BT.709 in limited range (ITU-R BT.709-6, 3.2 and 3.4)."""
    red, green, blue = (each / 255 for each in colour)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return 16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748


def on_white(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = (round(each * HALF / 255 + 255 - HALF) for each in colour)
    return red, green, blue


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("pixel_format", [*COLOURED, *GREYS])
def test_a_colour_stays_itself(pixel_format: str, size: Size) -> None:
    colour = GREY if pixel_format in GREYS else RED
    shown = on_white(colour) if pixel_format in ALPHA else colour
    told = encoding(pixel_format, size)
    graph = Graph(told, 1)
    results = [*graph.filter(patch(pixel_format, size, colour)), *graph.finish()]
    (found,) = results

    assert (found.width, found.height) == (told.canvas.width, told.canvas.height)
    assert found.format.name == "yuv420p"
    for plane, wanted in zip(found.planes, codes(shown), strict=True):
        middle = plane.line_size * (plane.height // 2) + plane.width // 2
        assert abs(bytes(plane)[middle] - wanted) <= 3, (pixel_format, wanted)
