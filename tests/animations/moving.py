"""Animated images whose pictures carry their number, in every format that is taken."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

from PIL import Image

from fixtures.frames import paint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SAVED_AS: dict[str, dict[str, Any]] = {
    "gif": {"format": "GIF"},
    "png": {"format": "PNG"},
    "webp": {"format": "WEBP", "lossless": True, "method": 0},
    "avif": {"format": "AVIF", "quality": 90, "speed": 10},
}
FORMATS = tuple(SAVED_AS)
SIZE = (320, 192)
RED, GREEN, BLUE, YELLOW = PALETTE = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))


def numbered(number: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Picture *number*, in RGB."""
    frame = paint(number, *size).reformat(format="rgb24")
    plane = frame.planes[0]
    return Image.frombytes("RGB", size, bytes(plane), "raw", "RGB", plane.line_size)


def save(
    path: Path,
    container: str,
    images: Sequence[Image.Image],
    delays_ms: int | list[int],
    **more: Any,  # noqa: ANN401 - what Pillow takes
) -> Path:
    """Write *images* as an animation; the name says nothing about what it is."""
    first, *others = images
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=delays_ms,
        **(SAVED_AS[container] | more),
    )
    return path


def animation(path: Path, container: str, count: int, delays_ms: int | list[int]) -> Path:
    """*count* pictures, numbered from 0."""
    return save(path, container, [numbered(n) for n in range(count)], delays_ms)


def gif(
    pictures: Sequence[tuple[tuple[int, int, int, int], int, int, int | None, int]],
    side: int = 64,
    background: int = 0,
) -> bytes:
    """A GIF of flat rectangles: each (x, y, width, height), colour, disposal, clear colour, delay.

    Colours are places in `PALETTE`, delays hundredths of a second.
    """
    data = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x91, background, 0)
    data += b"".join(bytes(colour) for colour in PALETTE)
    for (x, y, width, height), colour, disposal, clear, delay in pictures:
        flags = disposal << 2 | (clear is not None)
        data += b"\x21\xf9\x04" + struct.pack("<BHBB", flags, delay, clear or 0, 0)
        data += (
            b"\x2c" + struct.pack("<4HB", x, y, width, height, 0) + _flat(colour, width * height)
        )
    return data + b";"


def _flat(colour: int, count: int) -> bytes:
    """*count* pixels in LZW without a dictionary: each code is cleared away before the next."""
    bits = "".join(f"{code:03b}"[::-1] for code in (4, colour) * count + (5,))
    packed = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    blocks = [packed[at : at + 255] for at in range(0, len(packed), 255)]
    return b"\x02" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
