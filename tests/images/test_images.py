"""Still images from upload to result, read again by Pillow in this process."""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageChops, ImageCms

from preprocess import (
    Fit,
    Gravity,
    ImagePlan,
    Intent,
    Options,
    Report,
    Resolution,
    Role,
    Route,
    Status,
    Target,
    load_profile,
    plan_file,
    probe_file,
    process_file,
)
from preprocess.engines.resample import resized
from preprocess.geometry import Size
from tests.images import stills

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = load_profile("seedance-2-0-mini")
TURNABLE = ("jpeg", "png", "webp", "tiff")


def frame(**more: Any) -> Intent:  # noqa: ANN401 - fields of Intent
    return Intent(role=Role.FIRST_FRAME, **more)


def prepared(source: Path, intent: Intent) -> Report:
    """The result of work that has to end well, and that is right by its own measure."""
    report = process_file(
        source,
        intent=intent,
        target=Target(directory=source.parent / "out"),
        options=Options(force=True),
    )
    assert report.error is None, report.error
    assert report.output is not None
    again = plan_file(report.output, intent=intent)
    assert isinstance(again, ImagePlan)
    assert again.route is Route.KEEP, again.reasons
    return report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path


# --- turned, once ------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("container", TURNABLE)
def test_every_turn_is_made_once(container: str, orientation: int, folder: Path) -> None:
    stored, exif = stills.turned(stills.picture(640, 360), orientation)
    source = stills.save(stored, folder / "upload", container, exif=exif)
    report = prepared(source, frame())

    assert report.output is not None
    with Image.open(report.output) as result:
        assert result.size == (1280, 720)
    for found, wanted in zip(stills.corners(report.output), stills.CORNERS, strict=True):
        assert stills.far(found, wanted) <= 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("container", ["avif", "heif"])
def test_the_boxes_that_turn_a_picture_are_obeyed_once(
    container: str, orientation: int, folder: Path
) -> None:
    """``irot`` and ``imir``, written for the EXIF that stands beside them."""
    stored, exif = stills.turned(stills.picture(640, 360), orientation)
    source = stills.save(stored, folder / "upload", container, exif=exif.tobytes())
    assert (b"irot" in source.read_bytes()) is (orientation not in (1, 2, 4))
    report = prepared(source, frame())

    assert report.output is not None
    for found, wanted in zip(stills.corners(report.output), stills.CORNERS, strict=True):
        assert stills.far(found, wanted) <= 24


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_does_not_turn_a_heif(orientation: int, folder: Path) -> None:
    """Its own boxes do, in the decoder; EXIF is only a note of it (ISO/IEC 23008-12, A.2.1)."""
    _, exif = stills.turned(stills.picture(640, 360), orientation)
    source = stills.save(stills.picture(640, 360), folder / "upload", "heif", exif=exif)
    report = prepared(source, frame(ratio="16:9"))

    assert report.output is not None
    for found, wanted in zip(stills.corners(report.output), stills.CORNERS, strict=True):
        assert stills.far(found, wanted) <= 24


@pytest.mark.parametrize("value", [0, 9, 77])
def test_a_turn_nobody_has_defined_is_none(value: int, folder: Path) -> None:
    _, exif = stills.turned(stills.picture(), 1)
    exif[ExifTags.Base.Orientation] = value
    source = stills.save(stills.picture(), folder / "upload.jpg", "jpeg", exif=exif)

    facts = probe_file(source)
    assert facts.image is not None
    assert facts.image.orientation.value == "normal"


def test_a_probe_decodes_no_pixel(folder: Path) -> None:
    """Behind a broken picture stands the EXIF that turns it, as PNG allows."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = stills.encoded(stills.picture(), "png")
    start, end = data.index(b"IDAT") + 4, data.index(b"IEND") - 4
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + body))
    source = folder / "late"
    source.write_bytes(
        data[:start] + bytes(end - start - 4) + data[end - 4 : end] + chunk + data[end:]
    )
    facts = probe_file(source)

    assert facts.image is not None, facts.fault_detail
    assert str(facts.image.displayed) == "720x1280"


def test_exif_behind_the_picture_turns_it(folder: Path) -> None:
    stored, exif = stills.turned(stills.picture(640, 360), 6)
    data = stills.encoded(stored, "png")
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + body))
    source = folder / "late"
    source.write_bytes(data[:-12] + chunk + data[-12:])
    report = prepared(source, frame())

    assert report.output is not None
    for found, wanted in zip(stills.corners(report.output), stills.CORNERS, strict=True):
        assert stills.far(found, wanted) <= 12


@pytest.mark.parametrize("pictures", [1, 2])
def test_a_gif_of_one_picture_is_no_animation(pictures: int, folder: Path) -> None:
    images = [
        stills.picture(640, 360),
        stills.picture(640, 360).transpose(Image.Transpose.ROTATE_180),
    ]
    source = folder / "gif"
    images[0].save(source, format="GIF", save_all=True, append_images=images[1:pictures])
    facts = probe_file(source)

    assert facts.image is not None
    assert facts.image.animated is (pictures > 1)


@settings(deadline=None)
@given(st.integers(300, 1500), st.integers(300, 900), st.integers(2, 5), st.floats(0.3, 1.0))
def test_strips_are_the_picture(width: int, height: int, threads: int, share: float) -> None:
    """However many threads work on it: no seams."""
    image = Image.effect_noise((700, 500), 100)
    part = (0.5, 0.25, 0.5 + 690 * share, 0.25 + 490 * share)
    alone = resized(image, Size(width, height), part, 1)
    together = resized(image, Size(width, height), part, threads)
    assert max(ImageChops.difference(alone, together).histogram()[2:]) == 0


# --- kept, stripped ----------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["jpeg", "png"])
def test_what_is_right_stays_byte_for_byte(container: str, folder: Path) -> None:
    source = stills.save(stills.picture(), folder / "fine", container)
    before = source.read_bytes()
    report = process_file(source, intent=frame())

    assert (report.status, report.output) == (Status.UNCHANGED, source)
    assert source.read_bytes() == before


@pytest.mark.parametrize("container", ["jpeg", "png"])
def test_private_metadata_goes_and_the_pixels_stay(container: str, folder: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Phone Maker"
    exif[ExifTags.Base.Artist] = "Somebody"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    source = stills.save(stills.picture(), folder / "told", container, exif=exif)
    source.write_bytes(source.read_bytes() + b"and more behind the end")
    facts = probe_file(source)
    assert {"gps", "camera", "author", "trailing_data"} <= set(facts.private_metadata)
    report = prepared(source, frame())

    assert report.plan is not None
    assert report.plan.route is Route.REWRAP
    assert report.output is not None
    assert b"Phone Maker" not in report.output.read_bytes()
    assert b"behind the end" not in report.output.read_bytes()
    with Image.open(report.output) as result, Image.open(source) as original:
        assert result.tobytes() == original.tobytes()
        assert not result.getexif()


def test_a_thumbnail_in_the_header_of_a_jpeg_is_taken_out(folder: Path) -> None:
    """JFIF has room for one, uncompressed; it may show what was cropped off."""
    data = stills.encoded(stills.picture(), "jpeg")
    assert data[6:11] == b"JFIF\0"
    small = bytes(range(100, 112))
    header = b"\xff\xe0" + struct.pack(">H", 16 + len(small)) + data[6:18] + bytes((2, 2)) + small
    source = folder / "thumb"
    source.write_bytes(data[:2] + header + data[20:])
    report = prepared(source, frame())

    assert [(each.rule, each.measured) for each in report.reasons] == [
        ("image.private_metadata", "thumbnail")
    ]
    assert report.plan is not None
    assert report.plan.route is Route.REWRAP
    assert report.output is not None
    assert small not in report.output.read_bytes()


def test_nothing_private_survives_an_encode(folder: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Phone Maker"
    picture = stills.picture(900, 700)
    source = stills.save(picture, folder / "x", "jpeg", exif=exif, comment=b"my secret")
    report = prepared(source, frame())

    assert report.output is not None
    content = report.output.read_bytes()
    assert b"Phone Maker" not in content
    assert b"my secret" not in content


# --- size and shape ----------------------------------------------------------------------------

SIDES = st.integers(40, 1400)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    SIDES,
    SIDES,
    st.sampled_from(["adaptive", *PROFILE.sizes["720p"]]),
    st.sampled_from(list(Fit)),
    st.sampled_from(list(Resolution)),
    st.sampled_from(list(Gravity)),
)
def test_a_frame_has_the_very_size_of_the_clip(
    folder: Path,
    width: int,
    height: int,
    ratio: str,
    fit: Fit,
    resolution: Resolution,
    gravity: Gravity,
) -> None:
    source = stills.save(stills.picture(width, height), folder / "any", "png")
    intent = frame(ratio=ratio, fit=fit, resolution=resolution, gravity=gravity)
    report = prepared(source, intent)

    assert isinstance(report.plan, ImagePlan)
    assert report.output is not None
    if ratio != "adaptive":
        assert report.plan.ratio == ratio
    wanted = PROFILE.sizes[resolution.value][report.plan.ratio]
    with Image.open(report.output) as result:
        assert result.size == (wanted.width, wanted.height)


@pytest.mark.parametrize("fit", [Fit.PAD, Fit.BLUR])
def test_a_padded_picture_is_whole(fit: Fit, folder: Path) -> None:
    source = stills.save(stills.picture(600, 600), folder / "square", "png")
    report = prepared(source, frame(ratio="16:9", fit=fit))

    assert report.output is not None
    with Image.open(report.output) as result:
        image = result.convert("RGB")
    left = (1280 - 720) // 2
    inside = [(left + 30, 30), (left + 690, 30), (left + 30, 690), (left + 690, 690)]
    for place, wanted in zip(inside, stills.CORNERS, strict=True):
        assert stills.far(image.getpixel(place), wanted) <= 12  # type: ignore[arg-type]
    border = image.getpixel((10, 360))
    assert (border == (0, 0, 0)) is (fit is Fit.PAD)


@pytest.mark.parametrize(
    ("gravity", "colour"),
    [
        (Gravity.WEST, stills.RED),
        (Gravity.EAST, stills.GREEN),
        (Gravity.NORTH_WEST, stills.RED),
        (Gravity.SOUTH_EAST, stills.GREEN),
    ],
)
def test_gravity_says_which_part_is_kept(
    gravity: Gravity, colour: tuple[int, int, int], folder: Path
) -> None:
    source = stills.save(stills.picture(2000, 500), folder / "wide", "png")
    report = prepared(source, frame(ratio="1:1", gravity=gravity))

    assert report.output is not None
    top_left, top_right, *_ = stills.corners(report.output)
    assert stills.far(top_left, colour) <= 4
    assert stills.far(top_right, colour) <= 4


def test_auto_finds_the_detail(folder: Path) -> None:
    image = Image.new("RGB", (2000, 500), (90, 90, 90))
    busy = Image.effect_noise((300, 400), 90).convert("RGB")
    image.paste(busy, (1500, 50))
    source = stills.save(image, folder / "busy", "png")
    report = prepared(source, frame(ratio="1:1", gravity=Gravity.AUTO))

    assert report.output is not None
    with Image.open(report.output) as result:
        grey = result.convert("L").tobytes()
    assert max(grey) - min(grey) > 150


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((338, 194), (523, 300)),
        ((7000, 3000), (5999, 2571)),
        ((800, 600), (800, 600)),
        ((1000, 200), (1000, 400)),
    ],
)
def test_a_reference_changes_no_more_than_a_limit_demands(
    size: tuple[int, int], wanted: tuple[int, int], folder: Path
) -> None:
    source = stills.save(stills.picture(*size), folder / "reference", "jpeg")
    report = prepared(source, Intent(role=Role.REFERENCE_IMAGE))

    assert report.output is not None
    with Image.open(report.output) as result:
        assert result.size == wanted


# --- colour --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["P", "L", "1", "CMYK", "I;16", "LA", "RGBA"])
def test_every_mode_becomes_eight_bits_of_rgb(mode: str, folder: Path) -> None:
    grey = mode in ("L", "1", "I;16", "LA")
    image = stills.picture(640, 360).convert("L" if grey else "RGB")
    if mode == "I;16":
        image = image.convert("I").point(lambda value: value * 257).convert("I;16")
    elif mode != "L":
        image = image.convert(mode)
    container = "tiff" if mode in ("CMYK", "I;16") else "png"
    source = stills.save(image, folder / "mode", container)
    report = prepared(source, frame())

    assert report.output is not None
    wanted = [(round(0.299 * r + 0.587 * g + 0.114 * b),) * 3 for r, g, b in stills.CORNERS]
    with Image.open(report.output) as result:
        assert result.mode == "RGB"
    if mode == "1":
        return  # dithered
    pairs = zip(stills.corners(report.output), wanted if grey else stills.CORNERS, strict=True)
    for found, colour in pairs:
        assert stills.far(found, colour) <= (32 if mode == "P" else 12)  # the nearest of 216


def test_a_profile_is_applied_not_dropped(folder: Path) -> None:
    """With red and blue swapped by the profile, red has to come out blue."""
    swapped = Image.merge("RGB", stills.picture().split()[::-1])
    srgb = ImageCms.createProfile("sRGB")
    lab = ImageCms.createProfile("LAB")
    as_lab = ImageCms.profileToProfile(swapped, srgb, lab, outputMode="LAB")
    assert as_lab is not None
    source = stills.save(as_lab, folder / "lab", "tiff")
    report = prepared(source, frame())

    assert report.output is not None
    for found, wanted in zip(stills.corners(report.output), stills.CORNERS, strict=True):
        assert stills.far(found, wanted[::-1]) <= 12


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["jpeg", "png", "webp", "avif", "heif", "gif", "bmp", "tiff"])
def test_half_an_image_is_never_half_a_success(container: str, folder: Path) -> None:
    """No grey lower half: everything that comes out has all four corners."""
    data = stills.encoded(stills.picture(640, 360), container)
    source = folder / "cut"
    for twentieth in range(20):
        source.write_bytes(data[: len(data) * twentieth // 20])
        report = process_file(
            source,
            intent=frame(),
            target=Target(directory=folder / "out"),
            options=Options(force=True),
        )
        assert report.status is not Status.FAILED, report.error
        if report.output is not None:
            for found, wanted in zip(stills.corners(report.output), stills.CORNERS, strict=True):
                assert stills.far(found, wanted) <= 40


@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1), (1, 1)])
def test_a_line_is_padded_or_refused(size: tuple[int, int], folder: Path) -> None:
    source = stills.save(Image.new("RGB", size), folder / "line", "png")
    for intent in (frame(), frame(fit=Fit.PAD), Intent(role=Role.REFERENCE_IMAGE)):
        report = process_file(
            source,
            intent=intent,
            target=Target(directory=folder / "out"),
            options=Options(force=True),
        )
        assert report.status is not Status.FAILED, report.error


def test_a_bomb_is_refused_by_its_header(folder: Path) -> None:
    data = bytearray(stills.encoded(Image.new("1", (8, 8)), "png"))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    source = folder / "bomb"
    source.write_bytes(data)
    report = process_file(source, intent=frame())

    assert report.status is Status.REJECTED
    assert report.error is not None
    assert report.error.code in {"image.pixels", "input.corrupt"}


def test_a_video_is_no_frame_and_an_image_no_clip(folder: Path) -> None:
    source = stills.save(stills.picture(), folder / "still", "jpeg")
    report = process_file(source, intent=Intent(role=Role.EDIT_VIDEO))

    assert report.error is not None
    assert report.error.code == "input.role"


# --- refused rather than guessed -----------------------------------------------------------------


def refused(source: Path, rule: str) -> str:
    """What the one objection to *source* as a frame says."""
    report = process_file(source, intent=frame())
    assert report.status is Status.REJECTED, report
    assert [reason.rule for reason in report.reasons] == [rule]
    return report.reasons[0].sentence()


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    chunk = struct.pack(">I", len(body)) + kind + body
    return data[:33] + chunk + struct.pack(">I", zlib.crc32(kind + body)) + data[33:]


def test_thirty_two_bits_are_refused(folder: Path) -> None:
    source = stills.save(Image.new("F", (1280, 720), 0.5), folder / "float", "tiff")
    assert "at most 16 bits" in refused(source, "image.mode")


def test_a_profile_nothing_can_read_is_ignored_and_said(folder: Path) -> None:
    source = stills.save(stills.picture(), folder / "icc", "jpeg", icc_profile=b"no profile" * 30)
    report = prepared(source, frame())

    assert [reason.fix for reason in report.reasons] == ["ignored: taken as sRGB"]


# --- what the record says ------------------------------------------------------------------------


def test_the_receipt_says_what_was_written(folder: Path) -> None:
    """Noise at quality 95 is over 10 MB: the quality in the receipt is the one that fitted."""
    noise = Image.effect_noise((2700, 2700), 120)
    image = Image.merge("RGB", [noise, noise.rotate(90), noise.rotate(180)])
    source = stills.save(image, folder / "noise", "bmp")
    report = prepared(source, Intent(role=Role.REFERENCE_IMAGE))

    assert report.receipt is not None
    said = json.loads(report.receipt.read_text())
    assert said["plan"]["quality"] < 95
    assert said["intent"]["role"] == "reference_image"
    assert said["intent"]["fit"] == "pad"
    assert report.output is not None
    assert report.output.stat().st_size <= 10_000_000


def test_a_png_over_the_cap_becomes_a_jpeg_and_says_so(folder: Path) -> None:
    noise = Image.effect_noise((2400, 2400), 120)
    image = Image.merge("RGB", [noise, noise.rotate(90), noise.rotate(180)])
    source = stills.save(image, folder / "noise", "png", compress_level=1)
    report = prepared(source, Intent(role=Role.REFERENCE_IMAGE))

    assert report.output is not None
    assert report.output.suffix == ".jpg"
    assert [attempt.route for attempt in report.attempts] == ["encode"]


def test_a_kept_image_is_decoded(folder: Path) -> None:
    noise = Image.effect_noise((1280, 720), 90).convert("RGB")
    data = bytearray(stills.encoded(noise, "png"))
    middle = data.index(b"IDAT", len(data) // 2) + 1000
    data[middle : middle + 40] = bytes(40)
    source = folder / "bent"
    source.write_bytes(data)

    report = process_file(source, intent=frame())
    assert report.error is not None
    assert report.error.code == "input.corrupt"
