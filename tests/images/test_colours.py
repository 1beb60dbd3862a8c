"""Colours of stills against arithmetic of our own: profiles, code points, modes, transparency."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageCms

from preprocess import Fit, Intent, Role, colorimetry, icc, tonemap
from preprocess.plan import Colours
from tests.images import colours, stills
from tests.images.test_images import folder, frame, prepared, with_chunk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["folder"]

PATCHES = [
    (128, 128, 128), (255, 255, 255), (0, 0, 0), (40, 44, 52),
    (200, 150, 130), (255, 206, 180), (120, 80, 60),  # skin
    (90, 130, 70), (60, 110, 180), (140, 190, 240), (230, 200, 60), (180, 60, 60),
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255),  # outside sRGB
]  # fmt: skip
WORST = 2.0
"""CIEDE2000; 1 is just noticeable side by side."""


def chart(columns: int = 4, side: int = 80) -> Image.Image:
    """All patches, in rows."""
    rows = -(-len(PATCHES) // columns)
    image = Image.new("RGB", (columns * side, rows * side))
    for n, patch in enumerate(PATCHES):
        image.paste(patch, (n % columns * side, n // columns * side, (n % columns + 1) * side,
                            (n // columns + 1) * side))  # fmt: skip
    return image


def read(result: Image.Image, columns: int = 4, side: int = 80) -> list[tuple[int, ...]]:
    """The middle of each patch, whatever the scale."""
    scale = result.width / (columns * side)
    middles = [(n % columns + 0.5, n // columns + 0.5) for n in range(len(PATCHES))]
    return [
        result.getpixel((int(x * side * scale), int(y * side * scale)))  # type: ignore[misc]
        for x, y in middles
    ]


def worst(source: Path, wanted: Callable[[tuple[int, ...]], colours.Triple]) -> float:
    """The largest distance of a patch of the result from what it should be."""
    report = prepared(source, Intent(role=Role.REFERENCE_IMAGE))
    assert report.output is not None
    with Image.open(report.output) as result:
        found = read(result.convert("RGB"))
    return max(
        colours.delta_e(colours.lab(tuple(map(float, one))), colours.lab(wanted(patch)))  # type: ignore[arg-type]
        for one, patch in zip(found, PATCHES, strict=True)
    )


def as_p3(patch: tuple[int, ...]) -> colours.Triple:
    return colours.in_srgb(colours.xyz(patch, colours.DISPLAY_P3, colours.srgb_light))


def as_adobe(patch: tuple[int, ...]) -> colours.Triple:
    return colours.in_srgb(colours.xyz(patch, colours.ADOBE_RGB, colours.adobe_light))


def test_the_measure_itself() -> None:
    """Pairs 1, 7 and 17 of Sharma, Wu and Dalal."""
    pairs = [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ]
    for one, other, distance in pairs:
        assert colours.delta_e(one, other) == pytest.approx(distance, abs=1e-4)


@pytest.mark.parametrize("container", ["jpeg", "png", "webp", "tiff", "heif", "avif"])
def test_display_p3_comes_out_as_it_looked(container: str, folder: Path) -> None:
    profile = colours.matrix_profile(colours.DISPLAY_P3, colours.srgb_curve())
    source = stills.save(chart(), folder / "p3", container, icc_profile=profile)
    assert worst(source, as_p3) <= WORST


@pytest.mark.parametrize("container", ["jpeg", "png", "tiff"])
def test_adobe_rgb_comes_out_as_it_looked(container: str, folder: Path) -> None:
    curve = colours.gamma_curve(colours.ADOBE_GAMMA)
    profile = colours.matrix_profile(colours.ADOBE_RGB, curve)
    source = stills.save(chart(), folder / "adobe", container, icc_profile=profile)
    assert worst(source, as_adobe) <= WORST


def test_the_profile_holds_for_transparent_pictures_too(folder: Path) -> None:
    profile = colours.matrix_profile(colours.DISPLAY_P3, colours.srgb_curve())
    image = chart()
    image.putalpha(255)
    image.putpixel((0, 0), (0, 0, 0, 0))
    source = stills.save(image, folder / "p3", "png", icc_profile=profile)
    assert worst(source, as_p3) <= WORST


def test_code_points_of_a_png_are_a_profile(folder: Path) -> None:
    """Display P3 as cICP names it (12, 13)."""
    source = folder / "named"
    source.write_bytes(with_chunk(stills.encoded(chart(), "png"), b"cICP", bytes((12, 13, 0, 1))))
    assert worst(source, as_p3) <= WORST


def test_code_points_of_an_avif_are_a_profile(folder: Path) -> None:
    data = stills.encoded(chart(), "avif", subsampling="4:4:4")
    at = data.index(b"colrnclx") + 8
    source = folder / "named"
    source.write_bytes(data[:at] + struct.pack(">HH", 12, 13) + data[at + 4 :])
    assert worst(source, as_p3) <= WORST


def test_linear_light_is_not_taken_for_srgb(folder: Path) -> None:
    source = folder / "linear"
    source.write_bytes(with_chunk(stills.encoded(chart(), "png"), b"cICP", bytes((1, 8, 0, 1))))

    def wanted(patch: tuple[int, ...]) -> colours.Triple:
        return colours.in_srgb(colours.xyz(patch, colours.SRGB, lambda value: value))

    assert worst(source, wanted) <= WORST


def test_a_made_profile_has_the_published_colorants() -> None:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc.profile_of("smpte432", None))).profile
    found = (profile.red_colorant, profile.green_colorant, profile.blue_colorant)
    for colorant, published in zip(found, colours.DISPLAY_P3, strict=True):
        assert colorant is not None
        assert colorant[0] == pytest.approx(published, abs=2e-4)


def test_every_name_of_primaries_makes_a_profile_that_keeps_white() -> None:
    for name in colorimetry.PRIMARIES:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc.profile_of(name, "gamma28")))
        white = ImageCms.profileToProfile(
            Image.new("RGB", (1, 1), (255, 255, 255)), profile, ImageCms.createProfile("sRGB")
        )
        assert white is not None
        assert stills.far(white.getpixel((0, 0)), (255, 255, 255)) <= 1  # type: ignore[arg-type]


@pytest.mark.parametrize("gamma", [1.8, 2.2])
def test_grey_goes_through_its_profile(gamma: float, folder: Path) -> None:
    image = Image.new("L", (640, 640), 128)
    source = stills.save(image, folder / "grey", "jpeg", icc_profile=colours.grey_profile(gamma))
    report = prepared(source, Intent(role=Role.REFERENCE_IMAGE))

    assert report.output is not None
    light = (128 / 255) ** gamma
    wanted = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    with Image.open(report.output) as result:
        found = result.convert("RGB").getpixel((320, 320))
    assert all(abs(channel - wanted) <= 1.5 for channel in found)  # type: ignore[union-attr]


def test_a_colour_profile_on_grey_is_applied(folder: Path) -> None:
    """Some cameras and scanners write it; Adobe RGB's curve is not sRGB's."""
    profile = colours.matrix_profile(colours.ADOBE_RGB, colours.gamma_curve(1.0))
    source = stills.save(Image.new("L", (640, 640), 128), folder / "g", "jpeg", icc_profile=profile)
    report = prepared(source, Intent(role=Role.REFERENCE_IMAGE))

    assert report.output is not None
    with Image.open(report.output) as result:
        found = result.convert("RGB").getpixel((320, 320))
    assert all(abs(channel - 188) <= 2 for channel in found)  # type: ignore[union-attr]


@pytest.mark.parametrize("transparent", [False, True])
def test_a_profile_of_another_kind_of_picture_is_ignored_and_said(
    transparent: bool,  # noqa: FBT001 - a parameter of the test
    folder: Path,
) -> None:
    image = stills.picture()
    if transparent:
        image.putalpha(200)
    source = stills.save(image, folder / "g", "png", icc_profile=colours.grey_profile(1.8))
    report = prepared(source, frame())

    assert "ignored: taken as sRGB" in [reason.fix for reason in report.reasons]
    assert "grey made for a test, a GRAY profile" in [each.measured for each in report.reasons]


def test_inverted_cmyk_comes_out_the_right_way_round(folder: Path) -> None:
    """Adobe stores ink as its absence; the marker says so."""
    source = stills.save(stills.picture().convert("CMYK"), folder / "cmyk", "jpeg")
    assert b"Adobe" in source.read_bytes()[:700]
    report = prepared(source, frame())

    assert report.output is not None
    for found, wanted in zip(stills.corners(report.output), stills.CORNERS, strict=True):
        assert stills.far(found, wanted) <= 12


@pytest.mark.parametrize("container", ["png", "webp", "avif", "heif"])
@pytest.mark.parametrize("fit", list(Fit))
def test_transparent_edges_have_no_dark_fringe(container: str, fit: Fit, folder: Path) -> None:
    """White on black nothing: what is invisible must not bleed in when it is scaled."""
    image = Image.new("RGBA", (1601, 900), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (400, 200, 1201, 701))
    source = stills.save(image, folder / "logo", container)
    report = prepared(source, frame(fit=fit))

    assert report.output is not None
    with Image.open(report.output) as result:
        grey = result.convert("L").crop((4, 4, result.width - 4, result.height - 4)).tobytes()
    assert min(grey) >= 247


def test_one_clear_value_of_sixteen_bits_is_no_other(folder: Path) -> None:
    """PNG's tRNS names a single grey; its neighbours, the same in 8 bits, stay dark."""
    image = Image.new("I;16", (640, 640), 1001)
    image.paste(Image.new("I;16", (320, 640), 1000), (0, 0))
    plain = stills.encoded(image, "png")
    source = folder / "clear"
    source.write_bytes(with_chunk(plain, b"tRNS", struct.pack(">H", 1000)))
    report = prepared(source, Intent(role=Role.REFERENCE_IMAGE))

    assert report.output is not None
    with Image.open(report.output) as result:
        found = [result.convert("L").getpixel((x, 320)) for x in (80, 560)]
    assert found == [255, 4]


def in_hdr(path: Path, container: str, transfer: int) -> Path:
    """The chart, said to be HDR in BT.2020."""
    data = stills.encoded(chart(), container)
    if container == "png":
        path.write_bytes(with_chunk(data, b"cICP", bytes((9, transfer, 0, 1))))
    else:
        at = data.index(b"colrnclx") + 8
        path.write_bytes(data[:at] + struct.pack(">HH", 9, transfer) + data[at + 4 :])
    return path


@pytest.mark.parametrize(("number", "transfer"), [(16, "smpte2084"), (18, "arib-std-b67")])
@pytest.mark.parametrize("container", ["png", "avif", "heif"])
def test_hdr_is_tone_mapped_as_in_clips(
    container: str, number: int, transfer: str, folder: Path
) -> None:
    """Taken as sRGB it would come out washed out."""
    source = in_hdr(folder / "hdr", container, number)
    convert = tonemap.converter(Colours(primaries="bt2020", transfer=transfer))

    def wanted(patch: tuple[int, ...]) -> colours.Triple:
        red, green, blue = (255 * v for v in convert(*(value / 255 for value in patch[:3])))
        return red, green, blue

    # Codecs are exact to two or three steps, and a step of PQ is two of the result.
    assert worst(source, wanted) <= (WORST if container == "png" else 2 * WORST)


def test_hdr_is_told_once_and_never_kept(folder: Path) -> None:
    report = prepared(in_hdr(folder / "hdr", "png", 16), Intent(role=Role.REFERENCE_IMAGE))

    assert report.plan is not None
    assert [(each.rule, each.measured, each.fix) for each in report.plan.reasons] == [
        ("image.dynamic_range", "HDR (PQ)", "tone-mapped to SDR")
    ]
