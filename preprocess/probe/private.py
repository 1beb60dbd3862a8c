"""Metadata that tells of a person, a place or a device, by name; the values are never kept."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from preprocess.probe.boxes import Reader, children, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable

# Names that muxers write for everybody; anything else tells the device or the software.
_COMMON_HANDLERS = (
    *("videohandler", "videohandle", "soundhandler", "soundhandle", "datahandler", "metahandler"),
    *("iso media", "l-smash", "gpac iso", "bento4", "mainconcept", "subtitlehandler", "video", ""),
    *("audio", "sound", "stereo", "mono", "timecodehandler", "mp4 video media handler"),
    *("mp4 sound media handler", "google inc", "visual", "vide", "soun"),
)


def names_a_device(handler: str) -> bool:
    """Whether the name of a handler is one that not everybody's muxer writes."""
    lowered = handler.lower()
    return not any(
        lowered == known or (known and lowered.startswith(known)) for known in _COMMON_HANDLERS
    )


_NOTHING = memoryview(b"")
# What a four-character or dotted metadata name is about.
_TOPICS = {
    "location": ("\u00a9xyz", "loci", "location"),
    "make": ("\u00a9mak", "manu", "make"),
    "model": ("\u00a9mod", "modl", "model"),
    "software": ("\u00a9swr", "software"),
    "author": ("\u00a9aut", "\u00a9art", "auth", "perf", "author", "artist"),
    "title": ("\u00a9nam", "titl", "title"),
    "comment": ("\u00a9cmt", "\u00a9des", "desc", "dscp", "comment", "description"),
    "copyright": ("\u00a9cpy", "cprt", "copyright"),
    "creation_date": ("\u00a9day", "creationdate"),
    "cover": ("covr",),
    "chapters": ("chpl",),
}
# Encoder names and playback hints tell nothing about a person or a device.
_HARMLESS = {
    *("\u00a9too", "\u00a9enc", "encoder", "name", "wloc", "hdlr", "hnti", "allf", "loop", "selo"),
    *("free", "keys", "ilst", "mdta", "play", "vrot", "tagc", "iods", "skip"),
}


SPARE = (b"free", b"skip", b"wide")


def remnants(boxes: Iterable[tuple[bytes, memoryview]]) -> set[str]:
    """Which of *boxes* are free space by name and yet hold something.

    Tools take an entry out by renaming its box: what it said can still be read there.
    """
    return {
        f"box:{name_of(kind)}"
        for kind, body in boxes
        if kind in SPARE and not is_blank(bytes(body))
    }


def is_blank(data: bytes) -> bool:
    """Whether *data* are nothing but zeros."""
    return not data.strip(b"\0")


def read_user_data(kind: bytes, body: memoryview, reader: Reader) -> set[str]:
    """Topics of the entries of a ``udta`` or ``meta`` box; nested ones included."""
    if kind == b"meta":
        return _read_meta(body, reader)
    boxes = list(children(body, reader))
    found = remnants(boxes)
    for key, content in boxes:
        if key == b"meta":
            found |= _read_meta(content, reader)
        elif any(content):
            found |= _topics([name_of(key)])
    return found


def _read_meta(body: memoryview, reader: Reader) -> set[str]:
    # A full box in MP4, a plain one in QuickTime.
    start = 0 if bytes(body[4:8]) == b"hdlr" else 4
    boxes = list(children(body, reader, start))
    named = dict(boxes)
    items = list(children(named.get(b"ilst", _NOTHING), reader))
    names = _key_names(bytes(named.get(b"keys", b""))) or [name_of(key) for key, _ in items]
    return _topics(names) | remnants([*boxes, *items])


def _topics(names: list[str]) -> set[str]:
    return {topic for name in names if (topic := private_topic(name))}


def _key_names(body: bytes) -> list[str]:
    names: list[str] = []
    offset = 8
    while offset + 8 <= len(body) and len(names) < 1024:
        length = struct.unpack_from(">I", body, offset)[0]
        if length < 8:
            break
        names.append(body[offset + 8 : offset + length].decode("utf-8", "replace"))
        offset += length
    return names


def private_topic(name: str) -> str | None:
    """What a metadata entry called *name* reveals, or ``None`` if it is harmless."""
    lowered = name.lower()
    last = lowered.rsplit(".", 1)[-1]
    if lowered in _HARMLESS or last in _HARMLESS:
        return None
    for topic, names in _TOPICS.items():
        if lowered in names or last in names or (topic == "location" and ".location." in lowered):
            return topic
    return f"tag:{name[:40]}"
