"""LANCZOS, in strips on several threads: once decoding is cheap, resampling is most of the work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from preprocess.geometry import Size

Region = tuple[float, float, float, float]
"""Left, top, right and bottom edge inside a picture, in its pixels."""
_STRIP_PX = 200_000
"""Of the result; less is not worth a thread."""
# Invisible pixels must not bleed into the edges: colours are premultiplied while they are mixed.
# Pillow would do it by itself, but with a copy of all of the picture for each strip.
_PREMULTIPLIED = {"RGBA": "RGBa", "LA": "La"}


def resized(image: Image.Image, size: Size, part: Region, threads: int) -> Image.Image:
    """*part* of *image* at *size*; *image* itself if that is the same."""
    if part == (0, 0, size.width, size.height) and image.size == (size.width, size.height):
        return image
    # Edges were computed: one may lie a rounding error outside.
    left, top = max(0.0, part[0]), max(0.0, part[1])
    right, bottom = min(float(image.width), part[2]), min(float(image.height), part[3])
    mode, mixed = image.mode, _PREMULTIPLIED.get(image.mode)
    if mixed is not None:
        image = image.convert(mixed)
    strips = min(threads, max(1, size.area // _STRIP_PX))
    if size.height > bottom - top:
        strips = 1  # Pillow 13.0 chooses the order of its passes by sizes then: seams would show
    edges = [size.height * n // strips for n in range(strips + 1)]

    def scaled(n: int) -> Image.Image:
        upper, lower = edges[n], edges[n + 1]
        step = (bottom - top) / size.height
        strip = (left, top + upper * step, right, min(top + lower * step, bottom))
        return image.resize((size.width, lower - upper), Image.Resampling.LANCZOS, strip)

    if strips == 1:
        result = scaled(0)
    else:
        result = Image.new(image.mode, (size.width, size.height))
        with ThreadPoolExecutor(strips) as pool:
            for n, done in enumerate(pool.map(scaled, range(strips))):
                result.paste(done, (0, edges[n]))
    return result if mixed is None else result.convert(mode)
