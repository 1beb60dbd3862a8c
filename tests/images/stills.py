"""Pictures whose every corner is known, in the formats and turns that people send."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pillow_heif
from PIL import ExifTags, Image, ImageOps

if TYPE_CHECKING:
    from pathlib import Path

pillow_heif.register_heif_opener()

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 30), (30, 30, 220), (220, 220, 30)
CORNERS = (RED, GREEN, BLUE, YELLOW)
"""Top left, top right, bottom left, bottom right."""
SAVED_AS: dict[str, dict[str, Any]] = {
    "jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    "png": {"format": "PNG"},
    "webp": {"format": "WEBP", "lossless": True},
    "avif": {"format": "AVIF", "quality": 95},
    "heif": {"format": "HEIF", "quality": 95},
    "tiff": {"format": "TIFF"},
    "gif": {"format": "GIF"},
    "bmp": {"format": "BMP"},
}


def picture(width: int = 1280, height: int = 720) -> Image.Image:
    """Four quarters of four colours."""
    image = Image.new("RGB", (width, height))
    for n, colour in enumerate(CORNERS):
        box = (n % 2 * width // 2, n // 2 * height // 2)
        image.paste(colour, (*box, box[0] + width // 2 + 1, box[1] + height // 2 + 1))
    return image


_STORED = {
    # what has to be done to an upright picture so that its EXIF turn makes it upright again
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def turned(image: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    """*image* as a camera held that way stores it, and the EXIF that says so."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = image.transpose(_STORED[orientation]) if orientation in _STORED else image
    return stored, exif


def save(image: Image.Image, path: Path, container: str, **more: Any) -> Path:  # noqa: ANN401 - what Pillow takes
    """Write *image*; the name says nothing about what it is."""
    image.save(path, **(SAVED_AS[container] | more))
    return path


def corners(path: Path) -> list[tuple[int, int, int]]:
    """The colours a quarter in from each corner, as a viewer shows them."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    places = [(x, y) for y in (1, 3) for x in (1, 3)]
    found = [image.getpixel((image.width * x // 4, image.height * y // 4)) for x, y in places]
    return [tuple(colour) for colour in found]  # type: ignore[misc, arg-type]


def far(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Largest difference of a channel."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def encoded(image: Image.Image, container: str, **more: Any) -> bytes:  # noqa: ANN401 - as above
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, **(SAVED_AS[container] | more))
    return buffer.getvalue()
