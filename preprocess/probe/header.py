"""What an image file says of its picture, whoever has read it: one of ours, or Pillow."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import ExifTags, Image

from preprocess.geometry import Orientation, Size
from preprocess.pixels import DAMAGE, TURNED_BY_DECODER

_BY_EXIF = {
    1: Orientation.NORMAL,
    2: Orientation.MIRRORED,
    3: Orientation.HALF_TURN,
    4: Orientation.UPSIDE_DOWN_MIRRORED,
    5: Orientation.MIRRORED_CLOCKWISE,
    6: Orientation.CLOCKWISE,
    7: Orientation.MIRRORED_COUNTERCLOCKWISE,
    8: Orientation.COUNTERCLOCKWISE,
}
_DEPTHS = {"1": 1, "I": 32, "F": 32}
_BESIDE = (
    # where Pillow keeps it, and what it tells of
    ("xmp", "xmp"),
    ("XML:com.adobe.xmp", "xmp"),
    ("photoshop", "iptc"),
    ("comment", "comment"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a decoder will give, and what stands beside it."""

    size: Size
    mode: str
    """Pillow's name for the kind of pixels."""
    bit_depth: int
    transparent: bool
    animated: bool
    orientation: Orientation
    """What is left to do to the decoded picture."""
    profile: bytes | None
    exif: Image.Exif | None
    """``None`` if there is some that nobody can read here."""
    beside: frozenset[str]
    """Topics of what else is told."""


def read_by_pillow(image: Image.Image, container: str) -> Header:
    """The header of an image that Pillow has opened."""
    exif = exif_of(image)
    turned = container in TURNED_BY_DECODER
    return Header(
        size=Size(image.width, image.height),
        mode=image.mode,
        bit_depth=_depth(image),
        transparent=image.has_transparency_data,
        animated=_is_animated(image, container),
        orientation=Orientation.NORMAL if turned else orientation_of(exif),
        profile=image.info.get("icc_profile") or None,
        exif=exif,
        beside=frozenset(topic for key, topic in _BESIDE if image.info.get(key)),
    )


def exif_in(data: bytes | None, xmp: bytes | None) -> Image.Exif | None:
    """EXIF as Pillow reads it, with the orientation that XMP has if it has none."""
    carrier = Image.Image()
    carrier.info = {"exif": data, "xmp": xmp}
    return exif_of(carrier)


def exif_of(image: Image.Image) -> Image.Exif | None:
    """EXIF of an opened image; ``None`` if there is some and nobody can read it here."""
    try:
        # Pillow 13.0 decodes a PNG in search of chunks behind the picture; ours were found without.
        exif = Image.Image.getexif(image)
    except DAMAGE:
        return None
    return exif if exif or not image.info.get("exif") else None


def orientation_of(exif: Image.Exif | None) -> Orientation:
    """What EXIF says; numbers nobody has defined, and texts, say nothing."""
    try:
        value = None if exif is None else exif.get(ExifTags.Base.Orientation)
    except DAMAGE:
        return Orientation.NORMAL
    return _BY_EXIF.get(value, Orientation.NORMAL) if isinstance(value, int) else Orientation.NORMAL


def _is_animated(image: Image.Image, container: str) -> bool:
    # A HEIF or TIFF of several pictures is a collection; a GIF would be decoded to know.
    return container in ("png", "webp", "avif") and bool(getattr(image, "is_animated", False))


def _depth(image: Image.Image) -> int:
    if image.mode.startswith("I;16") or "16B" in str(getattr(image, "tile", "")):
        return 16
    return max(_DEPTHS.get(image.mode, 8), image.info.get("bit_depth") or 0)
