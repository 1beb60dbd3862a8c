"""Whether pictures are shown in the order of their time stamps.

AVI and ASF store one time for a picture, that of decoding. FFmpeg adds a delay and calls it the
time of presentation, and what is copied from there keeps it: MP4 or Matroska with the best of
indexes, and every B-frame in a wrong place.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING

import av

from preprocess.native import DECODE_TIMES, hasty_decoder, packets_from
from preprocess.probe import nal, slices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

    from preprocess.facts import AudioTrack, VideoTrack
    from preprocess.probe.tables import Read

_LOOK_PICTURES = 100
"""Pictures that are looked at; encoders that reorder do so within a few."""
_LOOK_PIXELS = 40_000_000
"""Of pictures that have to be decoded for it: 100 in SD, but 5 in 4K, where 100 took 2.5 s."""
_LEAST_PICTURES = 5
_CYCLE = 1
"""A way of telling the order that no encoder of ours writes (ITU-T H.264, 8.2.1.2)."""


def is_kept(video: VideoTrack, container: InputContainer, stream: VideoStream) -> bool:
    """Whether pictures are shown in the order of their time stamps, by a look at the first ones."""
    if not _is_doubtful(video, container, stream):
        return True
    packets = packets_from(container, stream, video.table.pts[0])
    if video.codec == "h264" and _is_rising(video.table.pts):
        told = Told(stream.codec_context.extradata)
        for packet in islice(packets, _LOOK_PICTURES):
            told.take(packet)
        return told.is_kept() is True
    return _is_decoded_in_order(packets, stream, _LOOK_PIXELS // max(1, video.coded.area))


def by_turns(
    video: VideoTrack, audio: AudioTrack | None, read: Read
) -> tuple[VideoTrack, AudioTrack | None]:
    """The tracks, if pictures are to be shown as they come out of the decoder."""
    table = read.decode_table
    if table is None:
        table = replace(video.table, pts=tuple(sorted(video.table.pts)), exact_pts=False)
    elif audio is not None:
        audio = replace(audio, offset_s=Fraction(0))  # both have the container's time now
    table = replace(table, sync=video.table.sync)
    return replace(video, table=table, has_b_frames=True), audio


def _is_doubtful(video: VideoTrack, container: InputContainer, stream: VideoStream) -> bool:
    """Whether a look is needed, which most files can do without."""
    table = video.table
    if not video.decodable or not table.exact_pts or not stream.codec_context.has_b_frames:
        return False
    # MPEG-4 from AVI may have two pictures in one packet and none in the next ("packed bitstream"),
    # wherever it is copied to: each comes out with the time of the other.
    packed = video.codec == "mpeg4"
    invented = container.format.name in DECODE_TIMES
    return packed or invented or _is_rising(table.pts)


def _is_rising(stamps: Iterable[int]) -> bool:
    return all(a < b for a, b in pairwise(stamps))


class Told:
    """The order of H.264 pictures as their headers tell it, beside their time stamps."""

    def __init__(self, extradata: bytes | None) -> None:
        self._prefix = nal.length_size("h264", extradata)
        self._sequence = slices.sequence_of(nal.stored_sequences("h264", extradata))
        self._order = Order()
        self._understood = True

    def take(self, packet: Packet[Stream]) -> None:
        """The next packet in the order of decoding."""
        units = list(nal.units(bytes(packet), self._prefix))
        sequence = self._sequence = slices.sequence_of(units) or self._sequence
        if sequence is None or sequence.order_kind == _CYCLE:
            self._understood = False
            return
        first = next(slices.first_slices(units, sequence), None)
        if first is not None and packet.pts is not None:
            self._order.take(first, sequence, packet.pts)

    def is_kept(self) -> bool | None:
        """Whether time stamps are in that order; ``None``: it is told in a way not understood."""
        return self._order.is_kept() if self._understood else None


class Order:
    """Pictures by the count that they are shown by, and by their time stamps."""

    def __init__(self) -> None:
        self._kept = True
        self._group: list[tuple[int, int]] = []
        """Time stamp and count, since the last picture that starts anew."""
        self._reference = 0
        """Count of the last picture that others refer to."""
        self._latest: int | None = None

    def take(self, first: slices.Slice, sequence: slices.Sequence, pts: int) -> None:
        """The next picture in the order of decoding, by its first slice."""
        if first.instant:
            self._close()
        count = self._count(first, sequence)
        if first.reference:
            self._reference = count
        self._group.append((pts, count))

    def _count(self, first: slices.Slice, sequence: slices.Sequence) -> int:
        """In full: the nearest to that of the last reference (ITU-T H.264, 8.2.1.1)."""
        if not sequence.order_bits:
            return len(self._group)  # as they are coded
        if first.instant or not self._group:
            return first.order
        cycle = 1 << sequence.order_bits
        ahead = (first.order - self._reference) % cycle
        return self._reference + (ahead if 2 * ahead < cycle else ahead - cycle)

    def _close(self) -> None:
        self._group.sort()
        stamps, counts = zip(*self._group, strict=True) if self._group else ((), ())
        later = not stamps or self._latest is None or stamps[0] > self._latest
        self._kept &= later and _is_rising(stamps) and _is_rising(counts)
        self._latest = stamps[-1] if stamps else self._latest
        self._group = []

    def is_kept(self) -> bool:
        """Whether time stamps rise as the counts do."""
        self._close()
        return self._kept


def _is_decoded_in_order(
    packets: Iterable[Packet[Stream]], stream: VideoStream, affordable: int
) -> bool:
    """Whether the time stamps of decoded pictures rise."""
    count = min(max(affordable, _LEAST_PICTURES), _LOOK_PICTURES)
    decoded = islice(_decoded(packets, stream), count)
    return _is_rising(frame.pts for frame in decoded if frame.pts is not None)


def _decoded(packets: Iterable[Packet[Stream]], stream: VideoStream) -> Iterator[av.VideoFrame]:
    decoder = hasty_decoder(stream)
    for packet in chain(packets, [None]):
        try:
            yield from decoder.decode(packet)
        except av.FFmpegError:
            continue  # a stream cut in mid-GOP starts with pictures nobody can decode
