"""Still images: decoded no larger than needed, turned once, made sRGB, fitted and written."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter, ImageOps, PngImagePlugin

from preprocess import icc
from preprocess.engines.failures import PlanMismatch, SourceDamaged
from preprocess.engines.srgb import SRGB_PROFILE, in_srgb, resizable
from preprocess.geometry import Box, Gravity, Size
from preprocess.job import ImageOutcome
from preprocess.pixels import DAMAGE, TURNED_BY_DECODER, open_image
from preprocess.plan import JPEG_QUALITIES, Route
from preprocess.probe import jpeg, png

if TYPE_CHECKING:
    from preprocess.plan import ImageEncoding, ImagePlan

_BLUR_SHARE = 0.04
"""Radius of the blur behind a padded picture, as part of the canvas."""
_GRAVITIES = {
    Gravity.CENTRE: (0.5, 0.5),
    Gravity.NORTH: (0.5, 0.0),
    Gravity.NORTH_EAST: (1.0, 0.0),
    Gravity.EAST: (1.0, 0.5),
    Gravity.SOUTH_EAST: (1.0, 1.0),
    Gravity.SOUTH: (0.5, 1.0),
    Gravity.SOUTH_WEST: (0.0, 1.0),
    Gravity.WEST: (0.0, 0.5),
    Gravity.NORTH_WEST: (0.0, 0.0),
}
_DETAIL_SIDE = 160
"""Pixels of the long side at which detail is looked for."""


def prepare_image(fd: int, container: str, plan: ImagePlan, path: str) -> ImageOutcome:
    """Write the result of *plan* to *path*.

    Raises:
        SourceDamaged: the picture cannot be decoded.
        PlanMismatch: metadata cannot be taken out without touching the pixels.
    """
    if plan.route is Route.REWRAP:
        return _strip(fd, container, path)
    encoding = plan.encoding
    assert encoding is not None  # noqa: S101 - only rewrap and encode come here
    image, profile = _upright(fd, container, encoding)
    picture = _fitted(image, profile, encoding)
    data, quality = _coded(picture, plan)
    Path(path).write_bytes(data)
    return ImageOutcome(quality=quality)


def pixel_digest(fd: int, container: str) -> str:
    """SHA-256 of the decoded pixels.

    Raises:
        SourceDamaged: they cannot be decoded.
    """
    try:
        with open_image(fd, container) as image:
            image.load()
            shape = f"{image.mode} {image.width} {image.height}".encode()
            return hashlib.sha256(shape + image.tobytes()).hexdigest()
    except DAMAGE as error:
        raise _damaged(error) from error


def _strip(fd: int, container: str, path: str) -> ImageOutcome:
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    try:
        result = (jpeg if container == "jpeg" else png).stripped(data)
    except (ValueError, IndexError) as error:
        raise PlanMismatch(str(error)) from error
    Path(path).write_bytes(result)
    return ImageOutcome(quality=None, pixels=pixel_digest(fd, container))


def _damaged(error: BaseException) -> SourceDamaged:
    said = str(error) or type(error).__name__
    return SourceDamaged(0, 1, f"pictures can be decoded: {said}"[:200])


def _upright(fd: int, container: str, encoding: ImageEncoding) -> tuple[Image.Image, bytes | None]:
    """The picture as it is meant to be seen, perhaps smaller than stored, and its profile."""
    try:
        with open_image(fd, container) as image:
            if container == "jpeg":
                _decode_small(image, encoding)
            image.seek(0)
            image.load()
            profile = _profile(image, encoding)
            turned = image if container in TURNED_BY_DECODER else ImageOps.exif_transpose(image)
            return resizable(turned), profile
    except DAMAGE as error:
        raise _damaged(error) from error


def _profile(image: Image.Image, encoding: ImageEncoding) -> bytes | None:
    """What the colours go through: the profile in the file, or one for what it states."""
    if not encoding.convert:
        return None
    if image.mode == "LAB":
        return None  # converted from what it is, whatever the profile
    embedded: bytes | None = image.info.get("icc_profile")
    stated = encoding.primaries, encoding.transfer
    return embedded or (None if icc.is_srgb(*stated) else icc.profile_of(*stated))


def _decode_small(image: Image.Image, encoding: ImageEncoding) -> None:
    """Let the JPEG decoder scale by 1/2, 1/4 or 1/8, as far as the resampler has enough left."""
    kept = encoding.crop or _shown(image, encoding)
    share = max(encoding.scaled.width / kept.width, encoding.scaled.height / kept.height)
    if share < 1:
        wanted = (int(image.width * share) + 1, int(image.height * share) + 1)
        image.draft(image.mode, wanted)


def _shown(image: Image.Image, encoding: ImageEncoding) -> Size:
    turned = encoding.orientation.swaps_sides
    return Size(image.height, image.width) if turned else Size(image.width, image.height)


def _fitted(image: Image.Image, profile: bytes | None, encoding: ImageEncoding) -> Image.Image:
    """Cropped, scaled, converted and padded; colours last, of fewer pixels."""
    box = _crop_box(image, encoding)
    scaled = in_srgb(_resized(image, encoding.scaled, box), profile)
    if encoding.canvas == encoding.scaled:
        return scaled
    canvas = _backdrop(image, profile, encoding)
    left = (encoding.canvas.width - encoding.scaled.width) // 2
    top = (encoding.canvas.height - encoding.scaled.height) // 2
    canvas.paste(scaled, (left, top))
    return canvas


def _resized(image: Image.Image, size: Size, box: Box) -> Image.Image:
    edges = (box.x, box.y, box.x + box.size.width, box.y + box.size.height)
    wanted = (size.width, size.height)
    if edges == (0, 0, *wanted) and image.size == wanted:
        return image
    # Of RGBA and LA Pillow makes premultiplied colours for this: what is invisible does not bleed.
    return image.resize(wanted, Image.Resampling.LANCZOS, edges)


def _backdrop(image: Image.Image, profile: bytes | None, encoding: ImageEncoding) -> Image.Image:
    canvas = encoding.canvas
    if not encoding.blur:
        return Image.new("RGB", (canvas.width, canvas.height))
    small = Size(max(1, canvas.width // 4), max(1, canvas.height // 4))
    kept = _covering(Size(image.width, image.height), canvas)
    box = Box((image.width - kept.width) // 2, (image.height - kept.height) // 2, kept)
    cover = in_srgb(_resized(image, small, box), profile)
    radius = max(1.0, _BLUR_SHARE * max(small.width, small.height))
    blurred = cover.filter(ImageFilter.GaussianBlur(radius))
    return blurred.resize((canvas.width, canvas.height), Image.Resampling.BICUBIC)


def _covering(size: Size, canvas: Size) -> Size:
    """The largest part of *size* with the shape of *canvas*."""
    scale = min(size.width / canvas.width, size.height / canvas.height)
    return Size(max(1, int(canvas.width * scale)), max(1, int(canvas.height * scale)))


def _crop_box(image: Image.Image, encoding: ImageEncoding) -> Box:
    """The kept region in the pixels of *image*, which may have been decoded smaller."""
    whole = Size(image.width, image.height)
    if encoding.crop is None:
        return Box(0, 0, whole)
    kept = _covering(whole, encoding.crop)
    across, down = image.width - kept.width, image.height - kept.height
    if encoding.gravity is Gravity.AUTO:
        x, y = _detail(image, kept)
    else:
        right, bottom = _GRAVITIES[encoding.gravity]
        x, y = round(across * right), round(down * bottom)
    return Box(min(x, across), min(y, down), kept)


def _detail(image: Image.Image, kept: Size) -> tuple[int, int]:
    """Where *kept* holds most edges; near the middle if it is all the same."""
    scale = _DETAIL_SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    edges = image.convert("L").resize(size, Image.Resampling.BOX).filter(ImageFilter.FIND_EDGES)
    across = kept.width < image.width
    # One row or column of sums: the crop touches both sides the other way.
    line = edges.resize((size[0], 1) if across else (1, size[1]), Image.Resampling.BOX)
    sums = list(line.tobytes())
    span = max(1, round((kept.width if across else kept.height) * scale))
    middle = (len(sums) - span) / 2

    def worth(start: int) -> tuple[int, float]:
        return sum(sums[start : start + span]), -abs(start - middle)

    best = max(range(max(1, len(sums) - span + 1)), key=worth)
    place = round(best / scale)
    return (place, 0) if across else (0, place)


def _coded(image: Image.Image, plan: ImagePlan) -> tuple[bytes, int | None]:
    """The file, and the quality of a JPEG; the search only ever lowers it, and gives up at 60."""
    # A new image: nothing that was stored beside the pixels can come along.
    clean = Image.new("RGB", image.size)
    clean.paste(image)
    if plan.expected.container == "png":
        marker = PngImagePlugin.PngInfo()
        marker.add(b"sRGB", b"\0")
        return _saved(clean, format="PNG", pnginfo=marker), None
    data, quality = b"", None
    for quality in JPEG_QUALITIES:
        data = _saved(
            clean, format="JPEG", quality=quality, subsampling="4:4:4", icc_profile=SRGB_PROFILE
        )
        if len(data) <= plan.expected.max_bytes:
            break
    return data, quality


def _saved(image: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **how)  # type: ignore[arg-type]
    return buffer.getvalue()
