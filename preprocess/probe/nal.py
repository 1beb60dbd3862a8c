"""Coded pictures and sound, apart from how containers frame them.

NAL units (H.264: ITU-T H.264 7.3.1; HEVC: ITU-T H.265 7.3.1), ADTS (ISO/IEC 13818-7 6.2).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from preprocess.facts import SyncKind

if TYPE_CHECKING:
    from collections.abc import Iterator

_H264_IDR = 5
_H264_NOT_PICTURE = {7, 8, 9, 12, 13}  # parameter sets, delimiter, filler, SPS extension
_HEVC_INSTANT = range(16, 21)  # BLA and IDR
_HEVC_CRA = 21
_SEQUENCES = {"h264": 7, "hevc": 33}
_HEVC_NOT_PICTURE = {32, 33, 34, 35, 38}  # parameter sets, delimiter, filler


def length_size(codec: str, extradata: bytes | None) -> int | None:
    """Bytes of each NAL unit's length prefix, or ``None`` for start codes (Annex B)."""
    if not extradata or extradata[0] != 1:
        return None
    if codec == "h264" and len(extradata) > 4:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 21:
        return (extradata[21] & 3) + 1
    return None


def units(data: bytes, prefix: int | None) -> Iterator[bytes]:
    """The NAL units of one packet."""
    if prefix is None:
        yield from _annex_b(data)
        return
    offset = 0
    while offset + prefix <= len(data):
        length = int.from_bytes(data[offset : offset + prefix], "big")
        offset += prefix
        yield data[offset : offset + length]
        offset += length


def _annex_b(data: bytes) -> Iterator[bytes]:
    start = data.find(b"\0\0\1")
    while start >= 0:
        following = data.find(b"\0\0\1", start + 3)
        unit = data[start + 3 : following if following >= 0 else len(data)]
        yield unit.rstrip(b"\0")
        start = following


def _type(codec: str, unit: bytes) -> int:
    return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63


def sync_kind(codec: str, data: bytes, prefix: int | None) -> SyncKind:
    """What a key packet promises; `SyncKind.OTHER` where nothing can be proven."""
    types = {_type(codec, unit) for unit in units(data, prefix) if unit}
    if codec == "h264" and _H264_IDR in types:
        return SyncKind.IDR
    if codec == "hevc" and types.intersection(_HEVC_INSTANT):
        return SyncKind.IDR
    if codec == "hevc" and _HEVC_CRA in types:
        return SyncKind.CRA
    return SyncKind.OTHER


def stored_sequences(codec: str, extradata: bytes | None) -> set[bytes]:
    """The sequence parameter sets that the container holds (ISO/IEC 14496-15, 5.3.3 and 8.3.3)."""
    prefix = length_size(codec, extradata)
    if not extradata or prefix is None:
        return sequences(codec, extradata or b"", None)
    if codec == "h264":
        return set(_sets(extradata, 6, extradata[5] & 31)[0])
    found: set[bytes] = set()
    place = 23
    for _ in range(extradata[22] if len(extradata) >= place else 0):
        if place + 3 > len(extradata):
            break
        kind, count = extradata[place] & 63, int.from_bytes(extradata[place + 1 : place + 3], "big")
        units, place = _sets(extradata, place + 3, count)
        found.update(units if kind == _SEQUENCES["hevc"] else ())
    return found


def _sets(data: bytes, place: int, count: int) -> tuple[list[bytes], int]:
    """*count* units from *place* on, each behind its length; and where they end."""
    found = []
    for _ in range(count):
        length = int.from_bytes(data[place : place + 2], "big")
        found.append(data[place + 2 : place + 2 + length].rstrip(b"\0"))
        place += 2 + length
    return found, place


def sequences(codec: str, data: bytes, prefix: int | None) -> set[bytes]:
    """The sequence parameter sets in a packet: picture size, format and more."""
    kind = _SEQUENCES.get(codec)
    if kind is None:
        return set()
    return {
        unit.rstrip(b"\0") for unit in units(data, prefix) if unit and _type(codec, unit) == kind
    }


def picture_digest(codec: str, data: bytes, prefix: int | None) -> str:
    """Digest of the coded picture in a packet, whatever its framing.

    Parameter sets, delimiters and filler are left out: muxers move, repeat and rewrite them.
    Packets of other codecs are taken whole.
    """
    digest = blake2b(digest_size=12)
    if codec not in ("h264", "hevc"):
        digest.update(data)
        return digest.hexdigest()
    skipped = _H264_NOT_PICTURE if codec == "h264" else _HEVC_NOT_PICTURE
    for unit in units(data, prefix):
        if unit and _type(codec, unit) not in skipped:
            # Trailing zero bytes are framing in Annex B, so they count nowhere.
            digest.update(unit.rstrip(b"\0"))
            digest.update(b"\0\0\1")
    return digest.hexdigest()


def sound_digest(data: bytes) -> str:
    """Digest of a sound packet; the ADTS header that MPEG-TS puts before AAC is left out."""
    adts = len(data) > 7 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0
    header = 0 if not adts else 7 if data[1] & 1 else 9
    return blake2b(data[header:], digest_size=12).hexdigest()
