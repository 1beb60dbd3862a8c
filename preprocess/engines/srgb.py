"""Colours of stills: whatever mode and profile, 8-bit sRGB in the end."""

from __future__ import annotations

import io
from functools import cache
from itertools import chain

from PIL import Image, ImageCms, ImageFilter, ImageMath

from preprocess import icc, tonemap
from preprocess.engines.failures import PlanMismatch
from preprocess.pixels import DAMAGE
from preprocess.plan import Colours

BACKGROUND = (255, 255, 255)
"""What transparency is laid on."""
_SRGB = ImageCms.createProfile("sRGB")
SRGB_PROFILE = ImageCms.ImageCmsProfile(_SRGB).tobytes()


def profile_of(image: Image.Image, stated: tuple[str | None, str | None]) -> bytes | None:
    """What the colours go through: the profile in the file, or one for what it states."""
    if image.mode == "LAB":
        return None  # converted from what it is, whatever the profile
    embedded: bytes | None = image.info.get("icc_profile")
    return embedded or (None if icc.is_srgb(*stated) else icc.profile_of(*stated))


def resizable(image: Image.Image) -> Image.Image:
    """*image* in 8 bits, in a mode the resampler takes, its colours as they were if they can be.

    Raises:
        PlanMismatch: its LAB values cannot be read.
    """
    if image.mode.startswith("I;16"):
        return _eight_bits(image)
    if image.mode == "LAB":
        return _transformed(image, ImageCms.createProfile("LAB"))
    transparent = image.has_transparency_data
    if image.mode in ("1", "L"):
        return _in_mode(image, "LA" if transparent else "L")
    if image.mode == "CMYK" or (image.mode == "LA" and transparent):
        return image
    return _in_mode(image, "RGBA" if transparent else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as L, or as LA where one value means transparency."""
    wide, clear = image.convert("I"), image.info.get("transparency")
    grey = wide.point(lambda value: value * (1 / 257) + 0.5).convert("L")
    grey.info.pop("transparency", None)
    if clear is None:
        return grey
    alpha = ImageMath.lambda_eval(
        lambda given: given["convert"]((given["wide"] != clear) * 255, "L"), wide=wide
    )
    return Image.merge("LA", (grey, alpha))


@cache
def _lut(colours: Colours) -> ImageFilter.Color3DLUT:
    """Built once in the life of a worker."""
    return ImageFilter.Color3DLUT(tonemap.GRID, [*chain.from_iterable(tonemap.table(colours))])


def in_srgb(image: Image.Image, source: bytes | Colours | None) -> Image.Image:
    """A `resizable` image in sRGB, on `BACKGROUND`.

    *source*: what it goes through, an ICC profile or the LUT for HDR; ``None``: it is sRGB.

    Raises:
        PlanMismatch: the profile cannot be applied.
    """
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    if alpha is not None:
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if isinstance(source, Colours):
        image = _in_mode(image, "RGB").filter(_lut(source))
    else:
        image = _in_mode(image, "RGB") if source is None else _applied(image, source)
    if alpha is None:
        return image
    ground = Image.new("RGB", image.size, BACKGROUND)
    ground.paste(image, mask=alpha)
    return ground


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    # Pillow copies a picture that has the mode already.
    return image if image.mode == mode else image.convert(mode)


def _applied(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if image.mode == "L" and source.profile.xcolor_space.strip() == "RGB":
        image = image.convert("RGB")
    return _transformed(image, source)


def _transformed(image: Image.Image, source: object) -> Image.Image:
    try:
        result = ImageCms.profileToProfile(
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
    assert result is not None  # noqa: S101 - only in place there is none
    return result
