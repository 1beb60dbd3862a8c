"""Headers that are read without the library say what the library says."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import pillow_heif
import pytest
from PIL import ExifTags, Image

from preprocess import probe_file
from preprocess.pixels import open_image
from preprocess.probe import heif, webp
from preprocess.probe.header import Header, exif_of, orientation_of, read_by_pillow
from tests.corpus.test_images import CORPUS
from tests.images import stills

if TYPE_CHECKING:
    from pathlib import Path

READERS = {"webp": webp.survey, "heif": heif.survey_heif, "avif": heif.survey_avif}
SAVED_IN: dict[str, dict[str, Any]] = {
    "plain": {},
    "told": {"exif": "told", "xmp": b"<x:xmpmeta/>"},
    "turned": {"exif": "turned"},
    "turned by XMP": {"xmp": b'<x tiff:Orientation="6"/>'},
    "profiled": {"icc_profile": bytes(range(200)) * 3},
}


def exif(kind: str) -> bytes:
    made = Image.Exif()
    if kind == "turned":
        made[ExifTags.Base.Orientation] = 5
    else:
        made[ExifTags.Base.Make] = "Phone Maker"
        made.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    return made.tobytes()


def both(path: Path, container: str) -> tuple[Header, Header]:
    """Ours, and Pillow's."""
    fd = os.open(path, os.O_RDONLY)
    try:
        ours = READERS[container](fd, path.stat().st_size).header
        with open_image(fd, container) as image:
            theirs = read_by_pillow(image, container)
    finally:
        os.close(fd)
    assert ours is not None
    return ours, theirs


def assert_same(path: Path, container: str) -> None:
    ours, theirs = both(path, container)
    for name in ("size", "mode", "transparent", "animated", "profile"):
        assert getattr(ours, name) == getattr(theirs, name), name
    if container != "avif" or "xmp" not in ours.beside:  # Pillow 13.0 turns it by XMP too
        assert ours.orientation == theirs.orientation
    if container != "avif":  # whose depth and turn Pillow 13.0 tells as 8, and as EXIF
        assert ours.bit_depth == theirs.bit_depth
        assert _told(ours.exif) == _told(theirs.exif)
    assert ours.beside - {"thumbnail", "embedded_images"} == theirs.beside


def _told(found: Image.Exif | None) -> dict[int, Any] | None:
    """But for the turn of a HEIF, which its decoder has made."""
    if found is None:
        return None
    return {key: value for key, value in found.items() if key != ExifTags.Base.Orientation}


@pytest.mark.parametrize("told", SAVED_IN)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
@pytest.mark.parametrize("container", READERS)
def test_what_is_written_is_read_as_pillow_reads_it(
    container: str, mode: str, told: str, tmp_path: Path
) -> None:
    how = dict(SAVED_IN[told])
    if "exif" in how:
        how["exif"] = exif(how["exif"])
    source = stills.save(
        stills.picture(322, 174).convert(mode), tmp_path / "file", container, **how
    )
    assert_same(source, container)


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("pictures", [1, 2, 5])
def test_frames_of_a_webp_are_counted(
    pictures: int,
    mode: str,
    lossless: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
) -> None:
    first = stills.picture(160, 90).convert(mode)
    others = [Image.new(mode, (160, 90), (n, 2, 3, 40)[: len(mode)]) for n in range(pictures - 1)]
    source = tmp_path / "file"
    first.save(
        source,
        format="WEBP",
        save_all=True,
        append_images=others,
        lossless=lossless,
        exif=exif("turned"),
    )
    assert_same(source, "webp")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_lossy_webp(mode: str, tmp_path: Path) -> None:
    image = stills.picture(321, 173).convert(mode)
    if mode == "RGBA":
        image.putalpha(100)
    source = stills.save(image, tmp_path / "file", "webp", lossless=False)
    assert_same(source, "webp")


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_deep_pictures_of_a_heif(mode: str, bits: int, tmp_path: Path) -> None:
    channels = len(mode)
    data = struct.pack(f"<{channels}H", *(1000, 0, 500, 700)[:channels]) * (66 * 34)
    source = tmp_path / "file"
    pillow_heif.from_bytes(mode=f"{mode};{bits}", size=(66, 34), data=data).save(source)
    assert_same(source, "heif")
    assert both(source, "heif")[0].bit_depth == bits


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("container", ["heif", "avif"])
def test_turns_by_boxes(container: str, orientation: int, tmp_path: Path) -> None:
    stored, told = stills.turned(stills.picture(322, 174), orientation)
    source = stills.save(stored, tmp_path / "file", container, exif=told.tobytes())
    assert_same(source, container)


def test_several_pictures_in_a_heif(tmp_path: Path) -> None:
    source = tmp_path / "file"
    stills.picture(100, 60).save(
        source,
        format="HEIF",
        save_all=True,
        append_images=[stills.picture(322, 174)],
        primary_index=1,
    )
    assert_same(source, "heif")


def test_ten_bits_of_an_avif_are_told(tmp_path: Path) -> None:
    """Pillow writes eight; the flags of ``av1C`` say what is there."""
    data = bytearray(stills.encoded(stills.picture(64, 64), "avif"))
    data[data.index(b"av1C") + 6] |= 0x40
    source = tmp_path / "file"
    source.write_bytes(data)
    facts = probe_file(source)
    assert facts.image is not None
    assert facts.image.bit_depth == 10


def test_xmp_does_not_turn_an_avif(tmp_path: Path) -> None:
    """As EXIF does not: boxes do."""
    source = stills.save(
        stills.picture(322, 174), tmp_path / "file", "avif", xmp=b'<x tiff:Orientation="6"/>'
    )
    facts = probe_file(source)
    assert facts.image is not None
    assert str(facts.image.displayed) == "322x174"


def test_a_thumbnail_in_a_heif_is_told(tmp_path: Path) -> None:
    image = pillow_heif.from_pillow(stills.picture(640, 360))
    image.info["thumbnails"] = [128]
    source = tmp_path / "file"
    image.save(source)
    assert "thumbnail" in probe_file(source).private_metadata


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_name_of_a_turn_is_what_it_does(orientation: int, tmp_path: Path) -> None:
    """Turned clockwise by the degrees, then flipped left to right if it is mirrored."""
    stored, told = stills.turned(stills.picture(40, 20), orientation)
    path = stills.save(stored, tmp_path / "file", "png", exif=told)
    with Image.open(path) as opened:
        turn = orientation_of(exif_of(opened))
        upright = opened.rotate(-turn.rotation_deg, expand=True)
    if turn.mirrored:
        upright = upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert upright.tobytes() == stills.picture(40, 20).tobytes()


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}")
def test_real_files_are_read_as_pillow_reads_them() -> None:
    compared = 0
    for path in sorted(CORPUS.iterdir()):
        facts = probe_file(path)
        if facts.container in READERS and facts.image is not None and not facts.image.animated:
            assert_same(path, facts.container)
            compared += 1
    assert compared >= 10


# --- lies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", [b"iloc", b"ipma"])
def test_a_box_that_claims_more_entries_than_it_has_is_refused(box: bytes, tmp_path: Path) -> None:
    """``iloc`` may state widths of 0, for millions of extents in a few bytes."""
    data = bytearray(stills.encoded(stills.picture(64, 64), "heif", exif=exif("told")))
    at = data.index(box)
    end = at - 4 + struct.unpack_from(">I", data, at - 4)[0]
    data[at + 4 : end] = bytes(6) + b"\xff" * (end - at - 10)
    source = tmp_path / "file"
    source.write_bytes(data)
    assert probe_file(source).fault == "input.corrupt"


@pytest.mark.parametrize("box", [b"meta", b"pitm", b"iprp", b"ipco", b"ipma", b"ispe", b"hvcC"])
def test_a_heif_without_a_box_is_refused_or_read(box: bytes, tmp_path: Path) -> None:
    data = stills.encoded(stills.picture(64, 64), "heif")
    source = tmp_path / "file"
    source.write_bytes(data.replace(box, b"free"))
    facts = probe_file(source)
    assert facts.fault == "input.corrupt" or (box == b"hvcC" and facts.image is not None)


@pytest.mark.parametrize(
    "tail",
    [b"VP8L\xff\xff\xff\x7f", b"VP8X\x02\0\0\0ab", b"VP8 \x0a\0\0\0" + bytes(10), b"ICCP\0\0\0\0"],
)
def test_a_webp_without_a_picture_is_refused(tail: bytes, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(tail)) + b"WEBP" + tail)
    assert probe_file(source).fault == "input.corrupt"


def test_a_canvas_of_another_size_than_the_picture_is_refused(tmp_path: Path) -> None:
    data = bytearray(stills.encoded(stills.picture(64, 64), "webp", exif=exif("told")))
    data[data.index(b"VP8X") + 12] += 1
    source = tmp_path / "file"
    source.write_bytes(data)
    assert probe_file(source).fault == "input.corrupt"


def test_a_webp_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path) -> None:
    bits = 16382 << 14 | 16382
    body = b"\x2f" + struct.pack("<I", bits) + bytes(9)
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body
    source = tmp_path / "file"
    source.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk)
    facts = probe_file(source)
    assert facts.image is not None
    assert str(facts.image.stored) == "16383x16383"
