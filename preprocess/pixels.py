"""The one place where strangers' bytes meet Pillow: every image is opened here, worker only."""

from __future__ import annotations

import os
import struct
import warnings
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pillow_heif
from PIL import Image, ImageFile

from preprocess.rules.image import MAX_SCALED_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator

# Set here, whatever the process had before: half a JPEG is no image, and Pillow's own check of
# sizes holds for frames that we do not look at first.
ImageFile.LOAD_TRUNCATED_IMAGES = False
Image.MAX_IMAGE_PIXELS = MAX_SCALED_PIXELS
OPENED_PIXELS = Image.MAX_IMAGE_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)
pillow_heif.register_heif_opener(thumbnails=False)
pillow_heif.options.DECODE_THREADS = 2

_PLUGINS = {
    "jpeg": ("JPEG",),
    "png": ("PNG",),
    "webp": ("WEBP",),
    "avif": ("AVIF",),
    "heif": ("HEIF",),
    "gif": ("GIF",),
    "bmp": ("BMP",),
    "tiff": ("TIFF",),
}
TURNED_BY_DECODER = frozenset({"heif", "tiff"})
"""Pillow 13 turns TIFF when it loads it, libheif HEIF; AVIF's ``irot`` comes as EXIF."""

BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
DAMAGE = (
    *(OSError, SyntaxError, ValueError, IndexError, KeyError, EOFError, RuntimeError, TypeError),
    *(AttributeError, OverflowError, ZeroDivisionError, UserWarning, struct.error),
    *BOMBS,
)
"""What hostile files were seen to raise from Pillow and its plugins; MemoryError stays itself."""


def in_words(error: BaseException) -> str:
    """What is wrong with an image, for people; Pillow speaks of its own buffers."""
    said = str(error) or type(error).__name__
    return "the data end before the picture does" if "truncated" in said.lower() else said[:200]


@contextmanager
def open_image(fd: int, container: str) -> Iterator[Image.Image]:
    """Read the header of the image behind *fd*; pixels come with ``load``.

    Raises:
        one of `DAMAGE`.
    """
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb") as file, open_file(file, container) as image:
        yield image


@contextmanager
def open_file(file: IO[bytes], container: str) -> Iterator[Image.Image]:
    """The same for what is in memory."""
    with Image.open(file, formats=_PLUGINS[container]) as image:
        yield image
