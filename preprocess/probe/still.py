"""Facts of still images, from headers alone."""

from __future__ import annotations

import io
import os
import re
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import ExifTags, Image, ImageCms

from preprocess import icc
from preprocess.facts import Dynamic, StillImage
from preprocess.geometry import Orientation, Size
from preprocess.pixels import DAMAGE, TURNED_BY_DECODER, open_image
from preprocess.probe import gif, jpeg, png
from preprocess.probe.colours import DYNAMICS, PRIMARIES, TRANSFERS
from preprocess.probe.survey import (
    Survey,
    missing_of_tiff,
    survey_bmp,
    survey_boxes,
    survey_webp,
)

if TYPE_CHECKING:
    from preprocess.facts import Facts

_BY_EXIF = {
    1: Orientation.NORMAL,
    2: Orientation.MIRRORED,
    3: Orientation.HALF_TURN,
    4: Orientation.UPSIDE_DOWN_MIRRORED,
    5: Orientation.MIRRORED_COUNTERCLOCKWISE,
    6: Orientation.CLOCKWISE,
    7: Orientation.MIRRORED_CLOCKWISE,
    8: Orientation.COUNTERCLOCKWISE,
}
_SURVEYS = {
    "jpeg": jpeg.survey,
    "png": png.survey,
    "gif": gif.survey,
    "webp": survey_webp,
    "bmp": survey_bmp,
    "heif": survey_boxes,
    "avif": survey_boxes,
}
_UNREADABLE = "a profile that cannot be read"
_SPACES = {"L": ("GRAY", "RGB"), "CMYK": ("CMYK",), "LAB": ("Lab",)}
"""Kinds of profile that can be applied to a mode; all that is coloured becomes RGB."""
# Pillow 13.0 does not tell what an AVIF's ``colr`` box holds (ISO/IEC 14496-12, 12.1.5).
_NCLX = re.compile(rb"colrnclx(.{4})", re.DOTALL)
_META_BYTES = 1 << 16
_DEPTHS = {"1": 1, "I": 32, "F": 32}
_SRGB = re.compile(r"\bs?rgb\b.*(iec ?61966|built-in)|^sRGB", re.IGNORECASE)
_HARMLESS = {
    *(ExifTags.Base.Orientation, ExifTags.Base.XResolution, ExifTags.Base.YResolution),
    *(ExifTags.Base.ResolutionUnit, ExifTags.Base.YCbCrPositioning, ExifTags.Base.ExifOffset),
    *(ExifTags.Base.ImageWidth, ExifTags.Base.ImageLength, ExifTags.Base.BitsPerSample),
    *(ExifTags.Base.Compression, ExifTags.Base.PhotometricInterpretation),
    *(ExifTags.Base.SamplesPerPixel, ExifTags.Base.PlanarConfiguration),
    *(ExifTags.Base.StripOffsets, ExifTags.Base.StripByteCounts, ExifTags.Base.RowsPerStrip),
    *(ExifTags.Base.ColorMap, ExifTags.Base.ExtraSamples, ExifTags.Base.SampleFormat),
    *(ExifTags.Base.InterColorProfile, ExifTags.Base.YCbCrSubSampling, ExifTags.Base.FillOrder),
    *(ExifTags.Base.NewSubfileType, ExifTags.Base.SubfileType, ExifTags.Base.Predictor),
    *(ExifTags.Base.ReferenceBlackWhite, ExifTags.Base.WhitePoint),
    *(ExifTags.Base.PrimaryChromaticities, ExifTags.Base.YCbCrCoefficients),
    *(ExifTags.Base.TileWidth, ExifTags.Base.TileLength, ExifTags.Base.TileOffsets),
    *(ExifTags.Base.TileByteCounts, ExifTags.Base.JPEGTables),
}
_HARMLESS_INNER = {
    *(ExifTags.Base.ExifVersion, ExifTags.Base.FlashPixVersion, ExifTags.Base.ColorSpace),
    *(ExifTags.Base.ComponentsConfiguration, ExifTags.Base.ExifImageWidth),
    *(ExifTags.Base.ExifImageHeight, ExifTags.Base.ExifInteroperabilityOffset),
}
_TOPICS: dict[int, str] = {
    ExifTags.Base.GPSInfo: "gps",
    ExifTags.Base.MakerNote: "maker_notes",
    ExifTags.Base.Make: "camera",
    ExifTags.Base.Model: "camera",
    ExifTags.Base.LensModel: "camera",
    ExifTags.Base.BodySerialNumber: "camera",
    ExifTags.Base.DateTime: "date",
    ExifTags.Base.DateTimeOriginal: "date",
    ExifTags.Base.DateTimeDigitized: "date",
    ExifTags.Base.Artist: "author",
    ExifTags.Base.CameraOwnerName: "author",
    ExifTags.Base.Copyright: "copyright",
    ExifTags.Base.ImageDescription: "description",
    ExifTags.Base.UserComment: "comment",
    ExifTags.Base.Software: "software",
}


def probe_image(fd: int, facts: Facts) -> Facts:
    """Complete *facts* of the image behind *fd*; damage becomes a fault."""
    container = facts.container or ""
    try:
        found = _SURVEYS[container](fd, facts.size_bytes) if container in _SURVEYS else Survey()
        if found.missing:
            return _truncated(facts, found.missing)
        with open_image(fd, container) as image:
            if found.exif is not None:
                image.info["exif"] = found.exif
            still = _still(image, container, found, found.code_points or _code_points(fd, image))
            private = _private(image) | found.private
            missing = missing_of_tiff(image, facts.size_bytes) if container == "tiff" else None
    except DAMAGE as error:
        return replace(facts, fault="input.corrupt", fault_detail=_plain(error))
    if not still.stored.area:
        return replace(facts, fault="input.corrupt", fault_detail=f"a picture of {still.stored}")
    if missing:
        return _truncated(facts, missing)
    return replace(facts, image=still, private_metadata=tuple(sorted(private)))


def _truncated(facts: Facts, missing: str) -> Facts:
    return replace(facts, fault="input.truncated", fault_detail=f"{missing} is missing")


def _plain(error: BaseException) -> str:
    return f"{str(error) or type(error).__name__}"[:200]


def _still(
    image: Image.Image, container: str, found: Survey, points: tuple[int, int] | None
) -> StillImage:
    stored = Size(image.width, image.height)
    turn = Orientation.NORMAL if container in TURNED_BY_DECODER else _orientation(image)
    displayed = Size(stored.height, stored.width) if turn.swaps_sides else stored
    name, srgb, broken = _profile(image)
    # A profile has the last word on what the colours are; code points are for files without one.
    numbers = points if points is not None and name is None else (2, 2)
    primaries, transfer = PRIMARIES.get(numbers[0]), TRANSFERS.get(numbers[1])
    return StillImage(
        stored=stored,
        displayed=displayed,
        orientation=turn,
        mode=image.mode,
        bit_depth=_depth(image),
        coding=found.coding,
        alpha=image.has_transparency_data,
        animated=_is_animated(image, container) if found.animated is None else found.animated,
        profile_name=name,
        srgb=srgb and icc.is_srgb(primaries, transfer),
        profile_broken=broken,
        primaries=primaries,
        transfer=transfer,
        dynamic=DYNAMICS.get(transfer or "", Dynamic.SDR),
    )


def _is_animated(image: Image.Image, container: str) -> bool:
    # A HEIF or TIFF of several pictures is a collection.
    return container in ("png", "webp", "avif") and bool(getattr(image, "is_animated", False))


def _code_points(fd: int, image: Image.Image) -> tuple[int, int] | None:
    """(primaries, transfer) of a HEIF's primary image, or what an AVIF states first."""
    nclx = image.info.get("nclx_profile")
    if isinstance(nclx, dict):
        return int(nclx["color_primaries"]), int(nclx["transfer_characteristics"])
    if image.format != "AVIF":
        return None
    stated = _NCLX.search(os.pread(fd, _META_BYTES, 0))
    return struct.unpack(">HH", stated[1]) if stated else None


def _exif(image: Image.Image) -> Image.Exif:
    # Pillow 13.0 decodes a PNG in search of chunks behind the picture; ours were found without.
    return Image.Image.getexif(image)


def _orientation(image: Image.Image) -> Orientation:
    """What EXIF says; numbers nobody has defined, and texts, say nothing."""
    try:
        value = _exif(image).get(ExifTags.Base.Orientation)
    except DAMAGE:
        return Orientation.NORMAL
    return _BY_EXIF.get(value, Orientation.NORMAL) if isinstance(value, int) else Orientation.NORMAL


def _depth(image: Image.Image) -> int:
    if image.mode.startswith("I;16") or "16B" in str(getattr(image, "tile", "")):
        return 16
    return max(_DEPTHS.get(image.mode, 8), image.info.get("bit_depth") or 0)


def _profile(image: Image.Image) -> tuple[str | None, bool, bool]:
    """(description, whether it does what sRGB does, whether it is of no use)."""
    data = image.info.get("icc_profile")
    if not data:
        return None, image.mode not in ("CMYK", "LAB"), False
    try:
        profile = ImageCms.getOpenProfile(io.BytesIO(data))
        name = (ImageCms.getProfileDescription(profile) or "").strip() or "a profile without a name"
        space = profile.profile.xcolor_space.strip()
    except (*DAMAGE, ImageCms.PyCMSError):
        return _UNREADABLE, False, True
    kind = "L" if image.mode in ("1", "LA") or image.mode.startswith("I") else image.mode
    if space not in _SPACES.get(kind, ("RGB",)):
        return f"{name[:60]}, a {space} profile", False, True
    plain = space == "RGB" and bool(_SRGB.search(name))
    grey = space == "GRAY" and image.mode == "L" and "gamma 2.2" in name.lower()
    return name[:80], plain or grey, False


def _private(image: Image.Image) -> set[str]:
    """Topics of what EXIF, XMP and the like tell."""
    found: set[str] = set()
    try:
        exif = _exif(image)
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        tags = (set(exif) - _HARMLESS) | (set(inner) - _HARMLESS_INNER)
        found.update(_TOPICS.get(tag, "exif") for tag in tags)
        if image.info.get("exif") and not exif:
            found.add("exif")  # nobody can read it here
        if exif.get_ifd(ExifTags.IFD.IFD1):
            found.add("thumbnail")
    except DAMAGE:
        found.add("exif")
    if image.info.get("xmp") or image.info.get("XML:com.adobe.xmp"):
        found.add("xmp")
    if image.info.get("photoshop"):
        found.add("iptc")
    if image.info.get("comment"):
        found.add("comment")
    return found
