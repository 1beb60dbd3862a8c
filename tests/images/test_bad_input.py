"""Images that are broken, hostile or not what they say: a reason, or the right picture."""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageChops

from preprocess import (
    Intent,
    Options,
    Report,
    Role,
    Route,
    Status,
    Target,
    probe_file,
    process_file,
)
from tests.images import stills
from tests.images.test_images import folder, frame

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["folder"]

REFERENCE = Intent(role=Role.REFERENCE_IMAGE)
BROKEN = {"input.truncated", "input.corrupt", "input.empty", "input.unsupported"}


def outcome(source: Path, intent: Intent = REFERENCE) -> Report:
    """What becomes of *source*, which is never a fault of ours."""
    target = Target(directory=source.parent / "out")
    report = process_file(source, intent=intent, target=target, options=Options(force=True))
    assert report.status is not Status.FAILED, report.error
    if report.status is Status.REJECTED:
        assert report.output is None
        assert all(reason.fix and reason.limit for reason in report.reasons)
    return report


def rules(report: Report) -> set[str]:
    return {reason.rule for reason in report.reasons}


def rejected(source: Path, *allowed: str, intent: Intent = REFERENCE) -> Report:
    report = outcome(source, intent)
    assert report.status is Status.REJECTED, report
    assert rules(report) <= set(allowed), report.reasons
    return report


def result_of(source: Path, intent: Intent = REFERENCE) -> Image.Image:
    report = outcome(source, intent)
    assert report.output is not None, report.error
    with Image.open(report.output) as opened:
        return opened.convert("RGB")


def same(one: Image.Image, other: Image.Image, most: int = 40) -> bool:
    """Equal but for what a JPEG at quality 95 changes."""
    small = (32, 32)
    difference = ImageChops.difference(one.convert("RGB").resize(small), other.resize(small))
    return max(high for _, high in difference.getextrema()) <= most  # type: ignore[misc]


def noise(width: int = 640, height: int = 480) -> Image.Image:
    """Every part unlike every other, so that a filled part is seen."""
    image = Image.effect_noise((width, height), 100)
    return Image.merge(
        "RGB", [image, image.rotate(180), image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    )


# --- cut off -------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", stills.SAVED_AS)
def test_a_cut_file_is_refused_or_whole(container: str, folder: Path) -> None:
    """At every twentieth, and one byte before the end: never a picture filled up with grey."""
    data = stills.encoded(noise(), container)
    whole = folder / "whole"
    whole.write_bytes(data)
    intact = result_of(whole)
    source = folder / "cut"
    for end in [len(data) * twentieth // 20 for twentieth in range(20)] + [len(data) - 1]:
        source.write_bytes(data[:end])
        report = outcome(source)
        if report.output is None:
            assert rules(report) <= BROKEN, report.reasons
            continue
        with Image.open(report.output) as result:
            assert ImageChops.difference(result.convert("RGB"), intact).getbbox() is None


@pytest.mark.parametrize("container", stills.SAVED_AS)
def test_what_is_cut_in_half_is_said_to_be_cut(container: str, folder: Path) -> None:
    data = stills.encoded(noise(), container)
    source = folder / "half"
    source.write_bytes(data[: len(data) // 2])
    report = rejected(source, "input.truncated")
    assert "missing" in report.reasons[0].measured


CODINGS: dict[str, dict[str, object]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 5},
}


def jpeg_of(image: Image.Image, coding: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=90, **CODINGS[coding])
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_jpeg_that_lacks_nothing_but_its_end_marker_gets_one(
    coding: str, mode: str, folder: Path
) -> None:
    data = jpeg_of(noise(1280, 720).convert(mode), coding)
    whole, source = folder / "whole", folder / "cut"
    whole.write_bytes(data)
    for lacking in (1, 2):
        source.write_bytes(data[:-lacking])
        report = outcome(source, frame())
        assert rules(report) == {"image.end"}
        assert report.plan is not None
        assert report.plan.route is Route.REWRAP
        assert report.output is not None
        assert report.output.read_bytes().endswith(b"\xff\xd9")
        with Image.open(report.output) as result, Image.open(whole) as intact:
            assert ImageChops.difference(result, intact).getbbox() is None
        assert same(result_of(source, frame(ratio="1:1")), result_of(whole, frame(ratio="1:1")), 0)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_jpeg_that_lacks_a_little_more_than_its_end_marker_is_cut_off(
    coding: str, folder: Path
) -> None:
    data = jpeg_of(noise(), coding)
    between_scans = [data.rindex(marker) for marker in (b"\xff\xc4", b"\xff\xda")]
    after_interval = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", data)][-1:]
    source = folder / "cut"
    for end in [len(data) - 5, len(data) - 40, len(data) // 3, *between_scans, *after_interval]:
        source.write_bytes(data[:end])
        rejected(source, "input.truncated")


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("intent", [frame(), frame(ratio="1:1")], ids=["kept", "encoded"])
@pytest.mark.parametrize("share", [0.3, 0.97])
def test_an_end_put_behind_half_a_picture_makes_it_no_whole_one(
    share: float, intent: Intent, mode: str, folder: Path
) -> None:
    """Libjpeg fills the rest with grey, and says so to nobody."""
    data = stills.encoded(noise(1280, 720).convert(mode), "jpeg")
    source = folder / "cut"
    source.write_bytes(data[: int(len(data) * share)] + b"\xff\xd9")
    assert "end" in rejected(source, "input.corrupt", intent=intent).reasons[0].measured


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_grey_picture_is_whole(mode: str, folder: Path) -> None:
    grey = Image.new(mode, (1280, 720), 128 if mode == "L" else (128, 128, 128))
    source = stills.save(grey, folder / "grey", "jpeg")
    assert outcome(source, frame()).status is Status.UNCHANGED
    assert outcome(source, frame(ratio="1:1")).status is Status.PREPARED


def test_what_a_phone_appends_is_no_missing_box(folder: Path) -> None:
    source = stills.save(stills.picture(), folder / "heic", "heif")
    source.write_bytes(source.read_bytes() + b"\0\0\x10\0SEFHe\0\0\0" + b"SEFT" * 3)
    assert same(result_of(source), stills.picture())


# --- bombs, and sizes nobody has -----------------------------------------------------------------


def with_sides(container: str, width: int, height: int) -> bytes:
    """A small file whose header claims other sides."""
    data = bytearray(stills.encoded(Image.new("RGB", (16, 16), (9, 99, 199)), container))
    if container == "png":
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif container == "jpeg":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", min(height, 65535), min(width, 65535))
    elif container == "gif":
        data[6:10] = struct.pack("<HH", min(width, 65535), min(height, 65535))
        at = data.index(b"\x2c\0\0\0\0") + 5
        data[at : at + 4] = data[6:10]
    elif container == "bmp":
        data[18:26] = struct.pack("<ii", width, height)
    elif container == "webp":
        at = data.index(b"VP8L") + 9
        bits = struct.unpack_from("<I", data, at)[0] & ~0xFFFFFFF
        sides = ((height - 1) & 0x3FFF) << 14 | ((width - 1) & 0x3FFF)
        data[at : at + 4] = struct.pack("<I", bits | sides)
    elif container == "tiff":
        for tag, value in ((256, width), (257, height)):
            at = _tiff_entry(data, tag)
            data[at + 2 : at + 4] = struct.pack("<H", 4)
            data[at + 8 : at + 12] = struct.pack("<I", value)
    else:
        at = data.index(b"ispe") + 8
        data[at : at + 8] = struct.pack(">II", width, height)
    return bytes(data)


def _tiff_entry(data: bytearray, tag: int) -> int:
    directory: int = struct.unpack_from("<I", data, 4)[0]
    count: int = struct.unpack_from("<H", data, directory)[0]
    places = [directory + 2 + 12 * n for n in range(count)]
    return next(at for at in places if struct.unpack_from("<H", data, at)[0] == tag)


@pytest.mark.parametrize("container", stills.SAVED_AS)
def test_a_header_that_claims_the_world_is_refused(container: str, folder: Path) -> None:
    """Within the time and memory of any other probe: nothing of that size is ever asked for."""
    source = folder / "bomb"
    source.write_bytes(with_sides(container, 60_000, 60_000))
    report = rejected(source, "image.pixels", "input.corrupt", "input.truncated")
    assert "<" not in report.reasons[0].measured


@pytest.mark.parametrize("container", ["jpeg", "png", "gif", "tiff"])
def test_what_is_too_large_to_be_opened_has_too_many_pixels(container: str, folder: Path) -> None:
    source = folder / "bomb"
    source.write_bytes(with_sides(container, 60_000, 60_000))
    reason = rejected(source, "image.pixels").reasons[0]
    assert "400 megapixels" in reason.measured
    assert "100 megapixels" in reason.limit


@pytest.mark.parametrize("intent", [REFERENCE, frame()], ids=["reference", "frame"])
def test_a_picture_of_108_megapixels_is_decoded_at_half_its_size(
    intent: Intent, folder: Path
) -> None:
    source = folder / "phone"
    large = stills.picture(1200, 900).resize((12_000, 9000), Image.Resampling.NEAREST)
    stills.save(large, source, "jpeg")
    report = outcome(source, intent)
    assert report.output is not None
    for found, wanted in zip(stills.corners(report.output), stills.CORNERS, strict=True):
        assert stills.far(found, wanted) <= 40


def test_a_large_picture_that_cannot_be_halved_has_too_many_pixels(folder: Path) -> None:
    source = folder / "phone"
    source.write_bytes(with_sides("jpeg", 12_000, 9000).replace(b"\xff\xc0", b"\xff\xc2", 1))
    reason = rejected(source, "image.pixels").reasons[0]
    assert reason.limit == "<= 100 megapixels"


@pytest.mark.parametrize("side", [4000, 9000])
def test_a_jpeg_that_claims_more_than_it_has_is_no_grey_picture(side: int, folder: Path) -> None:
    source = folder / "hollow"
    source.write_bytes(with_sides("jpeg", side, side))
    rejected(source, "input.corrupt")


@pytest.mark.parametrize("sides", [(0, 16), (16, 0), (0, 0)])
@pytest.mark.parametrize("container", ["png", "jpeg", "gif", "bmp", "tiff", "heif", "avif"])
def test_sides_of_zero_are_refused(container: str, sides: tuple[int, int], folder: Path) -> None:
    source = folder / "zero"
    source.write_bytes(with_sides(container, *sides))
    report = outcome(source)
    if report.output is not None:  # decoders that trust the coded picture, not the box
        assert container in ("heif", "avif", "gif")
        assert result_of(source).getpixel((4, 4)) is not None
    else:
        assert rules(report) <= {"input.corrupt", "input.truncated"}


@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1), (1, 1)])
@pytest.mark.parametrize("container", ["png", "jpeg", "tiff", "bmp"])
def test_a_line_is_prepared_or_refused_with_numbers(
    container: str, size: tuple[int, int], folder: Path
) -> None:
    source = stills.save(Image.new("RGB", size), folder / "line", container)
    for intent in (frame(), REFERENCE):
        report = outcome(source, intent)
        if report.output is None:
            assert f"{size[0]}x{size[1]}" in " ".join(each.measured for each in report.reasons)


# --- metadata that lies --------------------------------------------------------------------------


def with_exif(body: bytes) -> bytes:
    """A JPEG with *body* as its EXIF, whatever that is."""
    data = stills.encoded(stills.picture(), "jpeg")
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 8) + b"Exif\0\0" + body
    return data[:2] + segment + data[2:]


def ifd(*entries: bytes, following: int = 0) -> bytes:
    return (
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", len(entries))
        + b"".join(entries)
        + struct.pack("<I", following)
    )


ORIENTATION = struct.pack("<HHI", 0x112, 3, 1)
POINTS_AT_ITSELF = struct.pack("<HHII", 0x8769, 4, 1, 8)


@pytest.mark.parametrize(
    "body",
    [
        ifd(ORIENTATION + struct.pack("<I", 0)),
        ifd(ORIENTATION + struct.pack("<I", 9)),
        ifd(struct.pack("<HHI4s", 0x112, 2, 4, b"top\0")),
        ifd(struct.pack("<HHII", 0x112, 3, 1000, 0xFFFFFF00)),
        ifd(ORIENTATION + struct.pack("<I", 1), POINTS_AT_ITSELF, following=8),
        b"II*\0\xff\xff\xff\x7f",
        b"not EXIF at all" * 100,
        b"",
    ],
    ids=["0", "9", "text", "absurd", "looped", "far", "garbage", "empty"],
)
def test_broken_exif_turns_nothing(body: bytes, folder: Path) -> None:
    source = folder / "exif"
    source.write_bytes(with_exif(body))
    report = outcome(source, frame())

    assert report.error is None
    facts = probe_file(source)
    assert facts.image is not None
    assert facts.image.orientation.value == "normal"
    assert same(result_of(source, frame()), stills.picture())


@pytest.mark.parametrize("container", ["jpeg", "png", "webp", "tiff", "avif", "heif"])
@pytest.mark.parametrize("profile", [b"no profile" * 30, bytes(128), bytes(500)])
def test_a_corrupt_profile_is_ignored(container: str, profile: bytes, folder: Path) -> None:
    source = stills.save(stills.picture(), folder / "icc", container, icc_profile=profile)
    assert same(result_of(source, frame()), stills.picture())


# --- more than one picture -----------------------------------------------------------------------


def test_a_gif_of_absurdly_many_pictures_is_its_first(folder: Path) -> None:
    first = stills.encoded(stills.picture(320, 200), "gif")
    at = first.index(b"\x2c\0\0\0\0")
    tiny = b"\x21\xf9\x04\0\0\0\0\0\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    source = folder / "many"
    source.write_bytes(first[:at] + first[at:-1] + tiny * 100_000 + b";")
    assert same(result_of(source), stills.picture())


def test_a_png_that_claims_absurdly_many_pictures_is_its_first(folder: Path) -> None:
    data = stills.encoded(stills.picture(640, 400), "png")
    body = b"acTL" + struct.pack(">II", 2**31 - 1, 0)
    chunk = struct.pack(">I", 8) + body + struct.pack(">I", zlib.crc32(body))
    source = folder / "many"
    source.write_bytes(data[:33] + chunk + data[33:])
    assert same(result_of(source), stills.picture())


@pytest.mark.parametrize("container", ["webp", "png", "avif", "tiff", "heif"])
def test_of_several_pictures_the_first_is_taken(container: str, folder: Path) -> None:
    other = Image.new("RGB", (640, 400), (1, 2, 3))
    source = stills.save(
        stills.picture(640, 400), folder / "many", container, save_all=True, append_images=[other]
    )
    assert same(result_of(source), stills.picture())


def test_the_primary_picture_of_a_heif_is_taken(folder: Path) -> None:
    """``pitm`` names it, wherever it stands; the others may have any size."""
    other = Image.new("RGB", (320, 400), (1, 2, 3))
    source = folder / "second"
    other.save(
        source,
        format="HEIF",
        save_all=True,
        append_images=[stills.picture(640, 400)],
        primary_index=1,
    )
    assert str(probe_file(source).image.displayed) == "640x400"  # type: ignore[union-attr]
    assert same(result_of(source), stills.picture())


def test_a_tiff_whose_directories_loop_is_its_first_picture(folder: Path) -> None:
    data = bytearray(stills.encoded(stills.picture(640, 400), "tiff"))
    directory = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, directory)[0]
    at = directory + 2 + 12 * count
    data[at : at + 4] = struct.pack("<I", directory)
    source = folder / "loop"
    source.write_bytes(data)
    assert same(result_of(source), stills.picture())


def test_the_picture_behind_a_picture_is_left_behind(folder: Path) -> None:
    """As in Ultra HDR: a gain map, named by an MPF segment, stands behind the end."""
    main = stills.encoded(stills.picture(), "jpeg")
    gain = stills.encoded(Image.new("L", (320, 180), 77), "jpeg")
    index = b"MPF\0MM\0*\0\0\0\x08\0\1\xb0\1\0\4\0\0\0\1\0\0\0\2\0\0\0\0"
    segment = b"\xff\xe2" + struct.pack(">H", len(index) + 2) + index
    source = folder / "ultra"
    source.write_bytes(main[:2] + segment + main[2:] + gain)
    report = outcome(source, frame())

    assert report.output is not None
    data = report.output.read_bytes()
    assert b"MPF\0" not in data
    assert data.count(b"\xff\xd8\xff") == 1
    assert same(result_of(source, frame()), stills.picture())


# --- two things at once, and other things --------------------------------------------------------


@pytest.mark.parametrize("tail", [b"PK\x03\x04 a ZIP", b"<script>alert(1)</script>", b"MZ\x90"])
@pytest.mark.parametrize("container", ["jpeg", "png", "gif", "webp"])
def test_what_is_hidden_behind_a_picture_does_not_come_along(
    container: str, tail: bytes, folder: Path
) -> None:
    source = stills.save(stills.picture(), folder / "two", container)
    source.write_bytes(source.read_bytes() + tail)
    report = outcome(source, frame())

    assert report.output is not None
    assert report.output != source
    assert tail not in report.output.read_bytes()
    assert same(result_of(source, frame()), stills.picture())


def test_a_motion_photo_is_its_picture(folder: Path) -> None:
    """Hundreds of kilobytes of a clip stand behind the end, and no marker in them."""
    source = stills.save(stills.picture(), folder / "motion", "jpeg")
    source.write_bytes(source.read_bytes() + b"\0\0\0\x18ftypmp42" + bytes(300_000))
    assert same(result_of(source, frame()), stills.picture())
    assert "trailing_data" in probe_file(source).private_metadata


def test_the_end_of_a_thumbnail_is_not_that_of_the_picture(folder: Path) -> None:
    small = stills.encoded(stills.picture(64, 36), "jpeg")
    segment = b"\xff\xe1" + struct.pack(">H", len(small) + 2) + small
    data = stills.encoded(noise(), "jpeg")
    source = folder / "cut"
    source.write_bytes(data[:2] + segment + data[2:-30_000])
    rejected(source, "input.truncated")


def test_a_gif_that_is_also_a_script_is_a_gif(folder: Path) -> None:
    data = stills.encoded(stills.picture(), "gif")
    source = folder / "script.js"
    source.write_bytes(data[:-1] + b"\x21\xfe\x10*/=1;alert(1);/*\0;")
    assert same(result_of(source), stills.picture())


@pytest.mark.parametrize(
    ("data", "rule", "words"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "input.image", "SVG"),
        (b"%PDF-1.7\n%\xe2\xe3\n1 0 obj", "input.unsupported", "PDF"),
        (b"8BPS\0\1" + bytes(60), "input.image", "Photoshop"),
        (b"\xff\x0a" + bytes(60), "input.image", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "input.image", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "input.image", "JPEG 2000"),
        (b"\xff\x4f\xff\x51" + bytes(60), "input.image", "JPEG 2000"),
        (b"\0\0\1\0\1\0\x10\x10" + bytes(60), "input.image", "Windows icon"),
        (b"<html><body>not found</body></html>", "input.unsupported", "HTML"),
    ],
)
def test_other_formats_are_named_and_refused(
    data: bytes, rule: str, words: str, folder: Path
) -> None:
    source = folder / "photo.jpg"
    source.write_bytes(data)
    report = rejected(source, rule)
    assert words in report.reasons[0].measured


@pytest.mark.parametrize("container", stills.SAVED_AS)
@pytest.mark.parametrize("suffix", [".jpg", ".mp4", ".txt", ""])
def test_the_name_says_nothing(container: str, suffix: str, folder: Path) -> None:
    source = stills.save(stills.picture(), folder / f"file{suffix}", container)
    assert same(result_of(source), stills.picture())


# --- broken inside -------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [b"IHDR", b"IDAT"])
def test_a_wrong_checksum_is_refused(chunk: bytes, folder: Path) -> None:
    data = bytearray(stills.encoded(noise(), "png"))
    at = data.index(chunk)
    length = struct.unpack_from(">I", data, at - 4)[0]
    data[at + 4 + length] ^= 0xFF
    source = folder / "sum"
    source.write_bytes(data)
    rejected(source, "input.corrupt")


@pytest.mark.parametrize("marker", [0xC9, 0xC3, 0xC5])
def test_codings_of_jpeg_that_nobody_reads_are_not_kept(marker: int, folder: Path) -> None:
    """Arithmetic, lossless, hierarchical: the marker says so, the data do not."""
    data = bytearray(stills.encoded(noise(), "jpeg"))
    data[data.index(b"\xff\xc0") + 1] = marker
    source = folder / "coding"
    source.write_bytes(data)
    report = outcome(source)
    assert {"image.coding"} <= rules(report) or rules(report) == {"input.corrupt"}
    assert report.status is not Status.UNCHANGED


@pytest.mark.parametrize("end", [b"\xff\xe1", b"\xff\xfe\0\0", b"\xff\xe1\0"])
def test_a_segment_that_breaks_off_behind_the_picture_is_no_fault_of_ours(
    end: bytes, folder: Path
) -> None:
    data = stills.encoded(stills.picture(), "jpeg", comment=b"told")
    source = folder / "open"
    source.write_bytes(data[:-2] + b"\xff\xfe\0\4\xff\xd9" + end)
    outcome(source, frame())


def test_twelve_bits_of_jpeg_are_refused(folder: Path) -> None:
    data = bytearray(stills.encoded(noise(), "jpeg"))
    data[data.index(b"\xff\xc0") + 4] = 12
    source = folder / "deep"
    source.write_bytes(data)
    rejected(source, "input.corrupt")


def test_a_bmp_stored_from_the_top_is_upright(folder: Path) -> None:
    picture = stills.picture(640, 400)
    data = bytearray(stills.encoded(picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM), "bmp"))
    data[22:26] = struct.pack("<i", -400)
    source = folder / "top"
    source.write_bytes(data)
    assert same(result_of(source), picture)


def test_a_palette_that_claims_everything_is_refused_or_ignored(folder: Path) -> None:
    data = bytearray(stills.encoded(stills.picture(640, 400).convert("P"), "bmp"))
    data[46:50] = struct.pack("<I", 2**32 - 1)
    source = folder / "palette"
    source.write_bytes(data)
    assert rules(outcome(source)) <= BROKEN | {"image.mode", "image.format"}


@pytest.mark.parametrize("claimed", [0, 12, 2**32 - 10])
def test_a_webp_that_lies_about_its_length(claimed: int, folder: Path) -> None:
    data = bytearray(stills.encoded(noise(), "webp"))
    data[4:8] = struct.pack("<I", claimed)
    source = folder / "riff"
    source.write_bytes(data)
    rejected(source, "input.truncated", "input.corrupt")


def test_items_of_a_heif_that_point_at_each_other_are_refused(folder: Path) -> None:
    """``dimg`` says what a grid is made of; a grid made of itself is never finished."""
    data = bytearray(stills.encoded(noise(), "heif"))
    at = data.index(b"infe")
    kind = data.index(b"hvc1", at)
    data[kind : kind + 4] = b"grid"
    source = folder / "items"
    source.write_bytes(data)
    rejected(source, "input.corrupt")


def test_bytes_at_random_do_no_harm(folder: Path) -> None:
    """One byte in a hundred changed: refused, or prepared; the worker lives on."""
    source = folder / "fuzz"
    for container in stills.SAVED_AS:
        data = bytearray(stills.encoded(noise(160, 120), container))
        for n in range(97, len(data), 101):
            data[n] ^= n & 0xFF | 1
        for start in (0, 12, 64):
            intact = stills.encoded(noise(160, 120), container)[:start]
            source.write_bytes(intact + bytes(data[start:]))
            outcome(source)
