"""Still images: decoded no larger than needed, turned once, made sRGB, fitted and written."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageCms, ImageFilter, ImageOps, PngImagePlugin

from preprocess.engines.failures import PlanMismatch, SourceDamaged
from preprocess.geometry import Box, Gravity, Size
from preprocess.job import ImageOutcome
from preprocess.pixels import DAMAGE, TURNED_BY_DECODER, open_image
from preprocess.plan import JPEG_QUALITIES, Route
from preprocess.probe import jpeg, png

if TYPE_CHECKING:
    from preprocess.plan import ImageEncoding, ImagePlan

_BACKGROUND = (255, 255, 255)
_BLUR_SHARE = 0.04
"""Radius of the blur behind a padded picture, as part of the canvas."""
_SRGB = ImageCms.createProfile("sRGB")
_SRGB_BYTES = ImageCms.ImageCmsProfile(_SRGB).tobytes()
"""The one thing a result says beside its pixels: what they mean."""
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
    picture = _fitted(_upright(fd, container, encoding), encoding)
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


def _upright(fd: int, container: str, encoding: ImageEncoding) -> Image.Image:
    """The picture as it is meant to be seen, in sRGB, perhaps smaller than stored."""
    try:
        with open_image(fd, container) as image:
            if container == "jpeg":
                _decode_small(image, encoding)
            image.seek(0)
            image.load()
            profile = image.info.get("icc_profile") if encoding.convert else None
            turned = image if container in TURNED_BY_DECODER else ImageOps.exif_transpose(image)
            return _plain(turned, profile)
    except DAMAGE as error:
        raise _damaged(error) from error


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


def _plain(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB, or RGBA with transparency."""
    if image.mode.startswith("I;16"):
        image = _eight_bits(image)
    has_alpha = image.has_transparency_data
    if image.mode in ("P", "PA") or (has_alpha and image.mode not in ("RGBA", "LA")):
        image = image.convert("RGBA" if has_alpha else "RGB")
    alpha = image.getchannel("A") if has_alpha and "A" in image.getbands() else None
    if alpha is not None:
        image = image.convert("L" if image.mode == "LA" else "RGB")
    image = _converted(image, profile) or image.convert("RGB")
    if alpha is not None:
        image.putalpha(alpha)
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as 8 bits of grey."""
    return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")


def _converted(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """Colours through the ICC profile; ``None`` where there is none.

    Raises:
        PlanMismatch: the profile is not one for such pictures.
    """
    if image.mode == "LAB":
        source: object = ImageCms.createProfile("LAB")
    elif profile is None:
        return None
    else:
        source = io.BytesIO(profile)
    try:
        return ImageCms.profileToProfile(
            image,
            source,  # type: ignore[arg-type]
            _SRGB,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, *DAMAGE) as error:
        msg = f"the colour profile cannot be applied: {error}"
        raise PlanMismatch(msg) from error


def _fitted(image: Image.Image, encoding: ImageEncoding) -> Image.Image:
    """Cropped, scaled, flattened and padded."""
    box = _crop_box(image, encoding)
    scaled = _resized(image, encoding.scaled, box)
    if encoding.canvas == encoding.scaled:
        return scaled
    canvas = _backdrop(image, encoding)
    left = (encoding.canvas.width - encoding.scaled.width) // 2
    top = (encoding.canvas.height - encoding.scaled.height) // 2
    canvas.paste(scaled, (left, top))
    return canvas


def _resized(image: Image.Image, size: Size, box: Box) -> Image.Image:
    edges = (box.x, box.y, box.x + box.size.width, box.y + box.size.height)
    wanted = (size.width, size.height)
    if image.mode == "RGBA":
        # Pillow premultiplies for this, so that what is invisible does not bleed into the edges.
        return _flattened(image.resize(wanted, Image.Resampling.LANCZOS, edges))
    if edges == (0, 0, *wanted) and image.size == wanted:
        return image
    return image.resize(wanted, Image.Resampling.LANCZOS, edges)


def _flattened(image: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", image.size, (*_BACKGROUND, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def _backdrop(image: Image.Image, encoding: ImageEncoding) -> Image.Image:
    canvas = encoding.canvas
    if not encoding.blur:
        return Image.new("RGB", (canvas.width, canvas.height))
    small = Size(max(1, canvas.width // 4), max(1, canvas.height // 4))
    kept = _covering(Size(image.width, image.height), canvas)
    box = Box((image.width - kept.width) // 2, (image.height - kept.height) // 2, kept)
    cover = _resized(image, small, box)
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
            clean, format="JPEG", quality=quality, subsampling="4:4:4", icc_profile=_SRGB_BYTES
        )
        if len(data) <= plan.expected.max_bytes:
            break
    return data, quality


def _saved(image: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **how)  # type: ignore[arg-type]
    return buffer.getvalue()
