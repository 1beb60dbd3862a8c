"""H.264 pictures that are stored as two fields, a packet each: a decoder makes one of both.

Camcorders (AVCHD) store them so, and FFmpeg's demuxers pass them on singly. ITU-T H.264 (08/2021),
7.4.1.2.4 (first and second field).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from preprocess.probe import nal, slices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from av.packet import Packet
    from av.video.stream import VideoStream

    from preprocess.facts import VideoTrack


def join(
    video: VideoTrack, packets: Iterable[Packet[VideoStream]], extradata: bytes | None
) -> VideoTrack:
    """*video* with one entry in its table for each pair of fields.

    *packets*: of its stream, in decode order, from the table's first entry on or earlier.
    """
    table = video.table
    seconds = _second_fields(packets, extradata, set(table.pts))
    if not seconds:
        return video
    kept = [n for n, pts in enumerate(table.pts) if pts not in seconds]
    place = {n: new for new, n in enumerate(kept)}
    joined = replace(
        table,
        pts=tuple(table.pts[n] for n in kept),
        sizes=tuple(table.sizes[n] for n in kept),
        sync=tuple(
            replace(sync, index=place[sync.index]) for sync in table.sync if sync.index in place
        ),
        last_duration=2 * table.last_duration,
    )
    frames = video.frames and video.frames - len(seconds)
    return replace(video, table=joined, frames=frames)


def _second_fields(
    packets: Iterable[Packet[VideoStream]], extradata: bytes | None, wanted: set[int]
) -> set[int]:
    prefix = nal.length_size("h264", extradata)
    sequence = slices.sequence_of(nal.stored_sequences("h264", extradata))
    first: slices.Slice | None = None
    found: set[int] = set()
    left = len(wanted)
    for packet in packets:
        units = list(nal.units(bytes(packet), prefix))
        sequence = slices.sequence_of(units) or sequence
        field = _only_field(units, sequence)
        if field is None or first is None or not _belong_together(first, field):
            first = field
        else:
            first = None
            if packet.pts is not None:
                found.add(packet.pts)
        left -= packet.pts in wanted
        if not left:
            break
    return found & wanted


def _only_field(units: list[bytes], sequence: slices.Sequence | None) -> slices.Slice | None:
    """The one field among *units*; ``None`` for a frame, or for both fields."""
    if sequence is None or sequence.frames_only:
        return None
    found = {first for first in slices.first_slices(units, sequence) if first.bottom is not None}
    return found.pop() if len(found) == 1 else None


def _belong_together(first: slices.Slice, second: slices.Slice) -> bool:
    return first.frame_num == second.frame_num and first.bottom != second.bottom
