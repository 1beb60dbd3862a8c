"""Still images: decoded no larger than needed, turned once, made sRGB, fitted and written."""

from __future__ import annotations

import hashlib
import io
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter, PngImagePlugin

from preprocess.engines.failures import PlanMismatch, SourceDamaged
from preprocess.engines.resample import Region, resized
from preprocess.engines.srgb import SRGB_PROFILE, in_srgb, profile_of, resizable
from preprocess.geometry import Gravity, Orientation, Size
from preprocess.job import ImageOutcome
from preprocess.pixels import DAMAGE, in_words, open_file, open_image
from preprocess.plan import BLUR_SHARE, JPEG_QUALITIES, Colours, Route
from preprocess.probe import jpeg, png
from preprocess.rules.image import MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preprocess.plan import ImageEncoding, ImagePlan

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
_TURNS = {
    Orientation.CLOCKWISE: Image.Transpose.ROTATE_270,  # Pillow counts the other way round
    Orientation.HALF_TURN: Image.Transpose.ROTATE_180,
    Orientation.COUNTERCLOCKWISE: Image.Transpose.ROTATE_90,
    Orientation.MIRRORED: Image.Transpose.FLIP_LEFT_RIGHT,
    Orientation.MIRRORED_CLOCKWISE: Image.Transpose.TRANSPOSE,
    Orientation.UPSIDE_DOWN_MIRRORED: Image.Transpose.FLIP_TOP_BOTTOM,
    Orientation.MIRRORED_COUNTERCLOCKWISE: Image.Transpose.TRANSVERSE,
}
_HEADROOM = 1.5
"""Pixels a side that the resampler gets for one of the result: with less, the decoder's coarser
filter shows (SSIM 0.96 at 1.17, 0.99 at 1.57; benchmarks/README.md)."""
_FILLED = range(127, 130)
"""Values of a channel where libjpeg had no data: the middle, whatever the kind of colours."""
_JUNK = bytes(range(1, 0x80))
"""Data of no picture, without a marker."""
_DETAIL_SIDE = 160
"""Pixels of the long side at which detail is looked for."""


def prepare_image(
    fd: int, container: str, plan: ImagePlan, path: str, threads: int
) -> ImageOutcome:
    """Write the result of *plan* to *path*.

    Raises:
        SourceDamaged: the picture cannot be decoded.
        PlanMismatch: metadata cannot be taken out without touching the pixels.
    """
    if plan.route is Route.REWRAP:
        return _strip(fd, container, path)
    encoding = plan.encoding
    assert encoding is not None  # noqa: S101 - only rewrap and encode come here
    picture = _fitted(_upright(fd, container, encoding), encoding, threads)
    data, quality = _coded(picture, plan)
    Path(path).write_bytes(data)
    return ImageOutcome(quality=quality)


def check_whole(fd: int, container: str) -> None:
    """See that all of the picture is there.

    A JPEG is decoded at an eighth of its size: that takes all of its data, and half the time.

    Raises:
        SourceDamaged: it cannot be decoded.
    """
    with _decoded(fd, container, at_most=(1, 1)):
        pass


def pixel_digest(fd: int, container: str) -> str:
    """SHA-256 of the decoded pixels.

    Raises:
        SourceDamaged: they cannot be decoded.
    """
    with _decoded(fd, container, at_most=None) as image:
        shape = f"{image.mode} {image.width} {image.height}".encode()
        return hashlib.sha256(shape + image.tobytes()).hexdigest()


@contextmanager
def _opened(fd: int, container: str) -> Iterator[Image.Image]:
    """The image behind *fd*; a JPEG without its last marker, which the probe let pass, gets one."""
    size = os.fstat(fd).st_size
    if container == "jpeg" and os.pread(fd, 2, max(0, size - 2)) != jpeg.EOI_BYTES:
        with open_file(io.BytesIO(os.pread(fd, size, 0) + jpeg.EOI_BYTES), container) as image:
            yield image
    else:
        with open_image(fd, container) as image:
            yield image


@contextmanager
def _decoded(fd: int, container: str, *, at_most: tuple[int, int] | None) -> Iterator[Image.Image]:
    try:
        if container == "png":
            with open_image(fd, container) as image:
                image.verify()  # check sums, which decoding does without and other readers do not
        with _opened(fd, container) as image:
            drafted = at_most if container == "jpeg" else None
            _decode_small(image, drafted)
            image.load()
            if container == "jpeg":
                _check_filled(fd, image, drafted)
            yield image
    except DAMAGE as error:
        raise _damaged(error) from error


def _strip(fd: int, container: str, path: str) -> ImageOutcome:
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    try:
        jpeg_data = data + jpeg.EOI_BYTES  # some lack their own
        result = jpeg.stripped(jpeg_data) if container == "jpeg" else png.stripped(data)
    except (ValueError, IndexError) as error:
        raise PlanMismatch(str(error)) from error
    Path(path).write_bytes(result)
    return ImageOutcome(quality=None, pixels=pixel_digest(fd, container))


def _check_filled(fd: int, image: Image.Image, drafted: tuple[int, int] | None) -> None:
    """See that a JPEG's data last to the last pixel of *image*, which was made from them.

    What has none libjpeg fills with grey, and Pillow 13.0 does not pass its warning on. Data put
    behind the picture's own do not change a whole picture; of another they fill a part.

    Raises:
        OSError: they end before.
    """
    last = image.getpixel((image.width - 1, image.height - 1))
    if any(value not in _FILLED for value in (last if isinstance(last, tuple) else (last,))):
        return
    plain = jpeg.stripped(os.pread(fd, os.fstat(fd).st_size, 0) + jpeg.EOI_BYTES)
    longer = io.BytesIO(plain.removesuffix(jpeg.EOI_BYTES) + _JUNK + jpeg.EOI_BYTES)
    with open_file(longer, "jpeg") as other:
        _decode_small(other, drafted)
        if other.tobytes() != image.tobytes():
            msg = "the data end before the picture does"
            raise OSError(msg)


def _damaged(error: BaseException) -> SourceDamaged:
    return SourceDamaged(0, 1, f"pictures can be decoded: {in_words(error)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """The picture as it is meant to be seen, but for its colours."""

    image: Image.Image
    scale: float
    """Its pixels for one of the file."""
    stored: Size
    """What the file has."""
    colours: bytes | Colours | None
    """What it goes through; ``None``: it is sRGB."""


def _upright(fd: int, container: str, encoding: ImageEncoding) -> _Source:
    try:
        with _opened(fd, container) as image:
            stored = Size(image.width, image.height)
            drafted = _enough(image, encoding) if container == "jpeg" else None
            scale = _decode_small(image, drafted)
            image.load()  # what it was opened at: the first picture, of a HEIF the primary one
            if container == "jpeg":
                _check_filled(fd, image, drafted)
            stated = encoding.primaries, encoding.transfer
            colours = encoding.hdr or (profile_of(image, stated) if encoding.convert else None)
            turn = _TURNS.get(encoding.orientation)
            turned = image if turn is None else image.transpose(turn)
            return _Source(image=resizable(turned), scale=scale, stored=stored, colours=colours)
    except DAMAGE as error:
        raise _damaged(error) from error


def _enough(image: Image.Image, encoding: ImageEncoding) -> tuple[int, int] | None:
    """The least size to decode at that leaves the resampler enough; ``None``: the whole size."""
    kept = encoding.crop or _turned(Size(image.width, image.height), encoding)
    share = max(encoding.scaled.width / kept.width, encoding.scaled.height / kept.height)
    share *= _HEADROOM
    if share >= 1:
        return None
    return int(image.width * share) + 1, int(image.height * share) + 1


def _decode_small(image: Image.Image, wanted: tuple[int, int] | None) -> float:
    """Let the JPEG decoder scale by 1/2, 1/4 or 1/8, to no less than *wanted*.

    What is too large to be decoded whole is decoded at half its size at most.
    """
    width, height = image.size
    if width * height > MAX_PIXELS:
        half = width // 2, height // 2
        wanted = half if wanted is None else (min(half[0], wanted[0]), min(half[1], wanted[1]))
    drafted = image.draft(image.mode, wanted) if wanted is not None else None
    return drafted[1][2] / width if drafted is not None else 1.0


def _turned(stored: Size, encoding: ImageEncoding) -> Size:
    return Size(stored.height, stored.width) if encoding.orientation.swaps_sides else stored


def _fitted(source: _Source, encoding: ImageEncoding, threads: int) -> Image.Image:
    """Cropped, scaled, converted and padded; colours last, of fewer pixels."""
    kept = _kept(source, encoding)
    scaled = in_srgb(resized(source.image, encoding.scaled, kept, threads), source.colours)
    if encoding.canvas == encoding.scaled:
        return scaled
    canvas = _backdrop(source, encoding)
    left = (encoding.canvas.width - encoding.scaled.width) // 2
    top = (encoding.canvas.height - encoding.scaled.height) // 2
    canvas.paste(scaled, (left, top))
    return canvas


def _backdrop(source: _Source, encoding: ImageEncoding) -> Image.Image:
    canvas = encoding.canvas
    if not encoding.blur:
        return Image.new("RGB", (canvas.width, canvas.height))
    small = Size(max(1, canvas.width // 4), max(1, canvas.height // 4))
    cover = resized(source.image, small, _covering(source.image, canvas), threads=1)
    radius = max(1.0, BLUR_SHARE * max(small.width, small.height))
    blurred = in_srgb(cover, source.colours).filter(ImageFilter.GaussianBlur(radius))
    return blurred.resize((canvas.width, canvas.height), Image.Resampling.BICUBIC)


def _covering(image: Image.Image, canvas: Size) -> Region:
    """The middle of *image*, as much as the shape of *canvas* has room for."""
    scale = min(image.width / canvas.width, image.height / canvas.height)
    width, height = canvas.width * scale, canvas.height * scale
    left, top = (image.width - width) / 2, (image.height - height) / 2
    return left, top, left + width, top + height


def _kept(source: _Source, encoding: ImageEncoding) -> Region:
    """The part that is kept, in decoded pixels: fractions of one where it was decoded smaller."""
    whole = _turned(source.stored, encoding)
    width, height = whole.width * source.scale, whole.height * source.scale
    if encoding.crop is None:
        return 0, 0, width, height
    kept = encoding.crop.width * source.scale, encoding.crop.height * source.scale
    across, down = width - kept[0], height - kept[1]
    if encoding.gravity is Gravity.AUTO:
        x, y = _detail(source.image, kept)
    else:
        right, bottom = _GRAVITIES[encoding.gravity]
        x, y = across * right, down * bottom
    if encoding.crop == encoding.scaled:
        x, y = round(x), round(y)  # cut out, not resampled
    x, y = min(x, across), min(y, down)
    return x, y, x + kept[0], y + kept[1]


def _detail(image: Image.Image, kept: tuple[float, float]) -> tuple[float, float]:
    """Where a part of the size *kept* holds most edges; near the middle if it is all the same."""
    scale = _DETAIL_SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    edges = image.convert("L").resize(size, Image.Resampling.BOX).filter(ImageFilter.FIND_EDGES)
    # One row or column of sums: the part touches both sides the other way.
    across = image.width - kept[0] > image.height - kept[1]
    line = edges.resize((size[0], 1) if across else (1, size[1]), Image.Resampling.BOX)
    sums = list(line.tobytes())
    span = max(1, round((kept[0] if across else kept[1]) * scale))
    middle = (len(sums) - span) / 2

    def worth(start: int) -> tuple[int, float]:
        return sum(sums[start : start + span]), -abs(start - middle)

    best = max(range(max(1, len(sums) - span + 1)), key=worth)
    return (best / scale, 0) if across else (0, best / scale)


def _coded(image: Image.Image, plan: ImagePlan) -> tuple[bytes, int | None]:
    """The file, and the quality of a JPEG; the search only ever lowers it, and gives up at 60."""
    # All that Pillow writes beside the pixels it takes from here.
    image.info = {}
    if plan.expected.container == "png":
        marker = PngImagePlugin.PngInfo()
        marker.add(b"sRGB", b"\0")
        return _saved(image, format="PNG", pnginfo=marker), None
    data, quality = b"", None
    for quality in JPEG_QUALITIES:
        data = _saved(
            image, format="JPEG", quality=quality, subsampling="4:4:4", icc_profile=SRGB_PROFILE
        )
        if len(data) <= plan.expected.max_bytes:
            break
    return data, quality


def _saved(image: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **how)  # type: ignore[arg-type]
    return buffer.getvalue()
