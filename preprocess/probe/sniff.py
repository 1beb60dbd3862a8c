"""What bytes are, by their first few thousand; names and MIME types are never asked."""

from __future__ import annotations

from dataclasses import dataclass

from preprocess.facts import Kind
from preprocess.probe.mpeg_audio import holds_mp3

HEAD_BYTES = 4096
"""Enough for every signature below, a few MPEG-TS packets and an EBML header."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file seems to be."""

    kind: Kind
    container: str | None
    demuxer: str | None
    """FFmpeg demuxer that alone may open it, of images where they move; ``None``: none may."""
    description: str

    @property
    def supported(self) -> bool:
        """Whether we open files of this sort."""
        return self.demuxer is not None or (self.kind is Kind.IMAGE and self.container is not None)


_IMAGE_BRANDS = {
    b"heic": "HEIC image",
    b"heix": "HEIC image",
    b"heim": "HEIC image",
    b"heis": "HEIC image",
    b"hevc": "HEIC image sequence",
    b"hevx": "HEIC image sequence",
    b"mif1": "HEIF image",
    b"msf1": "HEIF image sequence",
    b"avif": "AVIF image",
    b"avis": "AVIF image sequence",
}
_AUDIO_BRANDS = {b"M4A ", b"M4B ", b"M4P "}
_THREE_GP = (b"3gp", b"3g2", b"3gg", b"3gr", b"3gs", b"3ge")
_ISO_BMFF_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"}

_DV = Sniffed(Kind.VIDEO, "dv", "dv", "DV video")
"""Header block of a first DIF sequence (IEC 61834-2), of 525 and of 625 lines."""
_START_CODES = (b"\0\0\0\1", b"\0\0\1")
_FIRST_UNITS = (b"\x06\5", b"\x09", b"\x27", b"\x67", b"\x40\1", b"\x42\1", b"\x46\1")
"""Headers of SEI, delimiters and parameter sets (ITU-T H.264 and H.265, 7.4)."""
_BARE = Sniffed(Kind.VIDEO, None, None, "H.264 or H.265 video without a container")
# (offset, signature, result); the first that fits wins. MPEG-TS, RIFF, EBML and ISO-BMFF need
# more than a signature and have functions below.
_SIGNATURES: tuple[tuple[int, bytes, Sniffed], ...] = (
    (0, b"\x00\x00\x01\xba", Sniffed(Kind.VIDEO, "mpegps", "mpeg", "MPEG program stream")),
    (0, b"FLV\x01", Sniffed(Kind.VIDEO, "flv", "flv", "FLV video")),
    (
        0,
        bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
        Sniffed(Kind.VIDEO, "asf", "asf", "ASF/WMV media"),
    ),
    (0, b"OggS", Sniffed(Kind.VIDEO, "ogg", "ogg", "Ogg media")),
    (0, bytes.fromhex("060e2b34020501010d0102"), Sniffed(Kind.VIDEO, "mxf", "mxf", "MXF video")),
    (0, b"\x89PNG\r\n\x1a\n", Sniffed(Kind.IMAGE, "png", "apng", "PNG image")),
    (0, b"\xff\xd8\xff", Sniffed(Kind.IMAGE, "jpeg", None, "JPEG image")),
    (0, b"GIF87a", Sniffed(Kind.IMAGE, "gif", "gif", "GIF image")),
    (0, b"GIF89a", Sniffed(Kind.IMAGE, "gif", "gif", "GIF image")),
    (0, b"II*\x00", Sniffed(Kind.IMAGE, "tiff", None, "TIFF image")),
    (0, b"MM\x00*", Sniffed(Kind.IMAGE, "tiff", None, "TIFF image")),
    (0, b"8BPS", Sniffed(Kind.IMAGE, None, None, "Photoshop document")),
    (0, b"\xff\x0a", Sniffed(Kind.IMAGE, None, None, "JPEG XL image")),
    (0, b"\x00\x00\x00\x0cJXL ", Sniffed(Kind.IMAGE, None, None, "JPEG XL image")),
    (0, b"\x00\x00\x00\x0cjP  ", Sniffed(Kind.IMAGE, None, None, "JPEG 2000 image")),
    (0, b"\xff\x4f\xff\x51", Sniffed(Kind.IMAGE, None, None, "JPEG 2000 image")),
    (0, b"\x00\x00\x01\x00", Sniffed(Kind.IMAGE, None, None, "Windows icon")),
    (0, b"BM", Sniffed(Kind.IMAGE, "bmp", None, "BMP image")),
    (0, b"ID3", Sniffed(Kind.AUDIO, "mp3", None, "MP3 audio")),
    (0, b"fLaC", Sniffed(Kind.AUDIO, "flac", None, "FLAC audio")),
    (0, b"#!AMR", Sniffed(Kind.AUDIO, "amr", None, "AMR audio")),
    (0, b"caff", Sniffed(Kind.AUDIO, "caf", None, "CAF audio")),
    (0, b"\x1f\x07\0\x3f", _DV),
    (0, b"\x1f\x07\0\xbf", _DV),
    (0, b"YUV4MPEG2 ", Sniffed(Kind.VIDEO, None, None, "uncompressed video (Y4M)")),
    (0, b"DKIF", Sniffed(Kind.VIDEO, None, None, "IVF video")),
    *((0, code + nal, _BARE) for code in _START_CODES for nal in _FIRST_UNITS),
    (0, b"\0\0\1\xb3", Sniffed(Kind.VIDEO, None, None, "MPEG video without a container")),
    (0, b".RMF", Sniffed(Kind.VIDEO, None, None, "RealMedia video")),
    (0, b"%PDF", Sniffed(Kind.OTHER, None, None, "PDF document")),
    (0, b"PK\x03\x04", Sniffed(Kind.OTHER, None, None, "ZIP archive")),
    (0, b"\x1f\x8b", Sniffed(Kind.OTHER, None, None, "gzip archive")),
    (0, b"7z\xbc\xaf", Sniffed(Kind.OTHER, None, None, "7-Zip archive")),
    (0, b"Rar!", Sniffed(Kind.OTHER, None, None, "RAR archive")),
    (0, b"\x7fELF", Sniffed(Kind.OTHER, None, None, "program (ELF)")),
    (0, b"MZ", Sniffed(Kind.OTHER, None, None, "program (Windows)")),
    (0, b"#EXTM3U", Sniffed(Kind.OTHER, None, None, "HLS playlist")),
    (0, b"ffconcat", Sniffed(Kind.OTHER, None, None, "ffconcat script")),
)

_UNKNOWN = Sniffed(Kind.OTHER, None, None, "a format that is not recognised")


def sniff(head: bytes) -> Sniffed:
    """Recognise *head*, the first `HEAD_BYTES` of a file."""
    for special in (_iso_bmff, _ebml, _riff, _aiff):
        found = special(head)
        if found is not None:
            return found
    for offset, signature, result in _SIGNATURES:
        if head.startswith(signature, offset):
            return result
    found = _transport_stream(head) or _program_stream(head) or _mpeg_audio(head) or _text(head)
    if found is _UNKNOWN and holds_mp3(head):
        return Sniffed(Kind.AUDIO, "mp3", None, "MP3 audio")
    return found


def _iso_bmff(head: bytes) -> Sniffed | None:
    if len(head) < 8 or head[4:8] not in _ISO_BMFF_BOXES:
        return None
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _IMAGE_BRANDS:
        compatible = {head[at : at + 4] for at in range(16, min(len(head), 64), 4)}
        av1 = brand in (b"avif", b"avis") or (brand in (b"mif1", b"msf1") and b"avif" in compatible)
        return Sniffed(Kind.IMAGE, "avif" if av1 else "heif", None, _IMAGE_BRANDS[brand])
    if brand in _AUDIO_BRANDS:
        return Sniffed(Kind.VIDEO, "mp4", "mov", "MPEG-4 audio")
    if brand == b"qt  " or head[4:8] != b"ftyp":
        return Sniffed(Kind.VIDEO, "mov", "mov", "QuickTime movie")
    if brand.startswith(_THREE_GP):
        return Sniffed(Kind.VIDEO, "3gp", "mov", "3GP video")
    return Sniffed(Kind.VIDEO, "mp4", "mov", "MP4 video")


def _ebml(head: bytes) -> Sniffed | None:
    if not head.startswith(b"\x1aE\xdf\xa3"):
        return None
    if b"webm" in head[:128]:
        return Sniffed(Kind.VIDEO, "webm", "matroska", "WebM video")
    return Sniffed(Kind.VIDEO, "matroska", "matroska", "Matroska video")


def _riff(head: bytes) -> Sniffed | None:
    if head[:4] not in (b"RIFF", b"RF64", b"RIFX"):
        return None
    form = head[8:12]
    if form == b"AVI ":
        return Sniffed(Kind.VIDEO, "avi", "avi", "AVI video")
    if form == b"WEBP":
        return Sniffed(Kind.IMAGE, "webp", None, "WebP image")
    if form == b"WAVE":
        return Sniffed(Kind.AUDIO, "wav", None, "WAV audio")
    return Sniffed(Kind.OTHER, None, None, "RIFF file of an unknown form")


def _aiff(head: bytes) -> Sniffed | None:
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Sniffed(Kind.AUDIO, "aiff", None, "AIFF audio")
    return None


_PACKETS_BYTES = (188, 192, 204)
"""MPEG-TS as broadcast, with a time before each packet (Blu-ray, AVCHD), with parity behind."""
_AT_AN_EDGE = ((0, 188), (4, 192))
_SURE, _SURE_INSIDE = 4, 8
"""Marks that prove a transport stream at the edge of a packet; where it begins inside of one."""


def _transport_stream(head: bytes) -> Sniffed | None:
    """Packets from the start, or from anywhere: a recorder that tunes in waits for nothing."""
    places = ((offset, spacing) for spacing in _PACKETS_BYTES for offset in range(spacing))
    for offset, spacing in (*_AT_AN_EDGE, *places):
        needed = _SURE if (offset, spacing) in _AT_AN_EDGE else _SURE_INSIDE
        marks, controls = head[offset::spacing], head[offset + 3 :: spacing]
        # Both bits of the adaptation field control are 0 in no packet (ISO/IEC 13818-1, 2.4.3.3).
        if len(marks) >= needed and set(marks) == {0x47} and all(c & 0x30 for c in controls):
            return Sniffed(Kind.VIDEO, "mpegts", "mpegts", "MPEG transport stream")
    return None


_START, _PACK = b"\x00\x00\x01", 0xBA


def _program_stream(head: bytes) -> Sniffed | None:
    """A pack or a packet somewhere in the beginning, and another one right behind it."""
    at = head.find(_START)
    while at >= 0:
        part = head[at : at + 14]
        if _begins_part(part) and _begins_part(head[at + _part_bytes(part) :][:4]):
            return Sniffed(Kind.VIDEO, "mpegps", "mpeg", "MPEG program stream")
        at = head.find(_START, at + 1)
    return None


def _begins_part(part: bytes) -> bool:
    return len(part) >= 4 and part.startswith(_START) and part[3] >= _PACK


def _part_bytes(part: bytes) -> int:
    """Length of a packet, or of a pack header: of MPEG-2 with its stuffing, or of MPEG-1."""
    if part[3] != _PACK:
        return 6 + int.from_bytes(part[4:6], "big")
    is_second = len(part) > 13 and part[4] >> 6 == 1
    return 14 + (part[13] & 7) if is_second else 12


def _mpeg_audio(head: bytes) -> Sniffed | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 3
    name = "AAC audio (ADTS)" if layer == 0 else "MPEG audio"
    return Sniffed(Kind.AUDIO, "aac" if layer == 0 else "mp3", None, name)


def _text(head: bytes) -> Sniffed:
    if not head:
        return Sniffed(Kind.OTHER, None, None, "empty file")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<svg", b"<?xml")) and b"<svg" in start:
        return Sniffed(Kind.IMAGE, None, None, "SVG image")
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return Sniffed(Kind.OTHER, None, None, "HTML page")
    if start.startswith((b"v=0\r\n", b"v=0\n")):
        return Sniffed(Kind.OTHER, None, None, "SDP session description")
    if not set(head) & _CONTROL_BYTES:
        return Sniffed(Kind.OTHER, None, None, "text")
    return _UNKNOWN


_CONTROL_BYTES = set(range(0x20)) - set(b"\t\n\r\x0b\x0c\x1b")
