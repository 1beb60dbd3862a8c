"""Facts of still images, from headers alone."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from preprocess import icc
from preprocess.facts import Dynamic, StillImage
from preprocess.geometry import Size
from preprocess.pixels import BOMBS, DAMAGE, OPENED_PIXELS, in_words, open_image
from preprocess.probe import gif, heif, jpeg, png, webp
from preprocess.probe.boxes import BoxError
from preprocess.probe.colours import DYNAMICS, PRIMARIES, TRANSFERS
from preprocess.probe.header import Header, read_by_pillow
from preprocess.probe.jpeg_end import lacks_only_its_end
from preprocess.probe.survey import Survey, missing_of_tiff, survey_bmp

if TYPE_CHECKING:
    from preprocess.facts import Facts

_SURVEYS = {
    "jpeg": jpeg.survey,
    "png": png.survey,
    "gif": gif.survey,
    "webp": webp.survey,
    "bmp": survey_bmp,
    "heif": heif.survey_heif,
    "avif": heif.survey_avif,
}
_UNREADABLE = "a profile that cannot be read"
_SPACES = {"L": ("GRAY", "RGB"), "CMYK": ("CMYK",), "LAB": ("Lab",)}
"""Kinds of profile that can be applied to a mode; all that is coloured becomes RGB."""
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
    try:
        return _measured(fd, facts, facts.container or "")
    except BOMBS:
        detail = f"more than {OPENED_PIXELS / 1e6:.0f} megapixels"
        return replace(facts, fault="image.pixels", fault_detail=detail)
    except UnidentifiedImageError:
        return _corrupt(facts, f"{facts.description} whose header cannot be read")
    except (BoxError, *DAMAGE) as error:
        return _corrupt(facts, in_words(error))


def _measured(fd: int, facts: Facts, container: str) -> Facts:
    found = _SURVEYS[container](fd, facts.size_bytes) if container in _SURVEYS else Survey()
    header, missing = found.header, found.missing
    unended = missing == jpeg.NO_END and container == "jpeg" and lacks_only_its_end(fd)
    if unended:
        missing = None
    if header is None and not missing:
        with open_image(fd, container) as image:
            if found.exif is not None:
                image.info["exif"] = found.exif
            header = read_by_pillow(image, container)
            missing = missing_of_tiff(image, facts.size_bytes) if container == "tiff" else None
    if header is None or missing:
        return replace(facts, fault="input.truncated", fault_detail=f"{missing} is missing")
    if not header.size.area:
        return _corrupt(facts, f"a picture of {header.size}")
    facts = replace(facts, bytes_read=None)  # Pillow does not count
    private = found.private | header.beside | _told(header.exif)
    return replace(
        facts, image=_still(header, found, unended=unended), private_metadata=tuple(sorted(private))
    )


def _corrupt(facts: Facts, detail: str) -> Facts:
    return replace(facts, fault="input.corrupt", fault_detail=detail)


def _still(header: Header, found: Survey, *, unended: bool) -> StillImage:
    stored, turn = header.size, header.orientation
    name, srgb, broken = _profile(header)
    # A profile has the last word on what the colours are; code points are for files without one.
    numbers = found.code_points if found.code_points is not None and name is None else (2, 2)
    primaries, transfer = PRIMARIES.get(numbers[0]), TRANSFERS.get(numbers[1])
    return StillImage(
        stored=stored,
        displayed=Size(stored.height, stored.width) if turn.swaps_sides else stored,
        orientation=turn,
        mode=header.mode,
        bit_depth=header.bit_depth,
        coding=found.coding,
        scalable=found.scalable,
        unended=unended,
        alpha=header.transparent,
        animated=header.animated if found.animated is None else found.animated,
        profile_name=name,
        srgb=srgb and icc.is_srgb(primaries, transfer),
        profile_broken=broken,
        primaries=primaries,
        transfer=transfer,
        dynamic=DYNAMICS.get(transfer or "", Dynamic.SDR),
    )


def _profile(header: Header) -> tuple[str | None, bool, bool]:
    """(description, whether it does what sRGB does, whether it is of no use)."""
    mode = header.mode
    if header.profile is None:
        return None, mode not in ("CMYK", "LAB"), False
    try:
        profile = ImageCms.getOpenProfile(io.BytesIO(header.profile))
        name = (ImageCms.getProfileDescription(profile) or "").strip() or "a profile without a name"
        space = profile.profile.xcolor_space.strip()
    except (*DAMAGE, ImageCms.PyCMSError):
        return _UNREADABLE, False, True
    kind = "L" if mode in ("1", "LA") or mode.startswith("I") else mode
    if space not in _SPACES.get(kind, ("RGB",)):
        return f"{name[:60]}, a {space} profile", False, True
    plain = space == "RGB" and bool(_SRGB.search(name))
    grey = space == "GRAY" and mode == "L" and "gamma 2.2" in name.lower()
    return name[:80], plain or grey, False


def _told(exif: Image.Exif | None) -> set[str]:
    """Topics of what EXIF tells."""
    found: set[str] = set()
    try:
        if exif is None:
            return {"exif"}
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        tags = (set(exif) - _HARMLESS) | (set(inner) - _HARMLESS_INNER)
        found.update(_TOPICS.get(tag, "exif") for tag in tags)
        if exif.get_ifd(ExifTags.IFD.IFD1):
            found.add("thumbnail")
    except DAMAGE:
        found.add("exif")
    return found
