"""Writing MP4: one picture track, at most one sound track, index first, nothing private."""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import OutputContainer

# negative_cts_offsets: the first picture has media time 0, so no edit has to hide a decode delay
# and a reader that ignores edit lists sees the same clip.
_FLAGS = "+faststart+negative_cts_offsets"
_BOX_HEADER = 8


@contextmanager
def open_output(path: str) -> Iterator[OutputContainer]:
    """Open *path*, a name of ours, for writing. Closing it writes the index."""
    container = av.open(
        f"file:{path}",
        mode="w",
        format="mp4",
        options={"movflags": _FLAGS, "fflags": "+bitexact"},
    )
    try:
        yield container
    except BaseException:
        # Closing would write an index for a file that is thrown away, and can fail again.
        with _suppressed():
            container.close()
        raise
    container.close()


@contextmanager
def _suppressed() -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError, ValueError):
        return


def track_time_base(rate: Fraction) -> Fraction:
    """A time base in which one picture of *rate* lasts a whole number of ticks."""
    return Fraction(1, rate.numerator)


def settle_durations(path: str) -> None:
    """Make the durations in the headers those of the media.

    FFmpeg 8.1.2's movenc counts the decode delay of B-frames into mvhd, tkhd and elst although
    negative_cts_offsets has removed it: 450 pictures at 30 fps are said to last 15.034 s. Found
    with any B-frame stream; can go when libavformat subtracts it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        head = os.pread(fd, 4096, 0)
        offset = 0
        while head[offset + 4 : offset + 8] != b"moov":
            length = struct.unpack_from(">I", head, offset)[0]
            offset += length
            if length < _BOX_HEADER or offset + _BOX_HEADER > len(head):
                msg = "the index is not first"
                raise ValueError(msg)
        length = struct.unpack_from(">I", head, offset)[0]
        moov = bytearray(os.pread(fd, length, offset))
        _settle_movie(moov)
        os.pwrite(fd, moov, offset)
    finally:
        os.close(fd)


def _settle_movie(moov: bytearray) -> None:
    boxes = dict(_boxes(moov, 8, len(moov)))
    mvhd = boxes[b"mvhd"]
    scale = struct.unpack_from(">I", moov, mvhd + 12)[0]
    longest = 0
    for kind, body in _boxes(moov, 8, len(moov)):
        if kind == b"trak":
            longest = max(longest, _settle_track(moov, body, scale))
    struct.pack_into(">I", moov, mvhd + 16, longest)


def _settle_track(moov: bytearray, trak: int, scale: int) -> int:
    """Rewrite one track's durations; its length in movie ticks."""
    end = trak - 8 + struct.unpack_from(">I", moov, trak - 8)[0]
    boxes = dict(_boxes(moov, trak, end))
    mdia = boxes[b"mdia"]
    mdia_end = mdia - 8 + struct.unpack_from(">I", moov, mdia - 8)[0]
    mdhd = dict(_boxes(moov, mdia, mdia_end))[b"mdhd"]
    media_scale, media_ticks = struct.unpack_from(">II", moov, mdhd + 12)
    hidden = 0
    elst = None
    if b"edts" in boxes:
        edts = boxes[b"edts"]
        elst = dict(_boxes(moov, edts, edts - 8 + struct.unpack_from(">I", moov, edts - 8)[0]))[
            b"elst"
        ]
        if struct.unpack_from(">I", moov, elst + 4)[0] != 1:
            msg = "more than one edit was written"
            raise ValueError(msg)
        hidden = max(0, struct.unpack_from(">i", moov, elst + 12)[0])
    ticks = int((media_ticks - hidden) * scale // media_scale)
    struct.pack_into(">I", moov, boxes[b"tkhd"] + 20, ticks)
    if elst is not None:
        struct.pack_into(">I", moov, elst + 8, ticks)
    return ticks


def _boxes(data: bytearray, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """(kind, offset of the body) of each box; ours are all under 4 GB."""
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        yield kind, start + 8
        start += length
