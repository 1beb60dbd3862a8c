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
    from av.video.stream import VideoStream

    from preprocess.facts import AudioTrack, VideoTrack
    from preprocess.probe.tables import Read

_LOOK_PICTURES = 100
"""Pictures decoded for their order; encoders that reorder do so within a few."""
_CYCLE = 1
"""A way of telling the order that no encoder of ours writes (ITU-T H.264, 8.2.1.2)."""


def is_kept(video: VideoTrack, container: InputContainer, stream: VideoStream) -> bool:
    """Whether pictures are shown in the order of their time stamps."""
    if not _is_doubtful(video, container, stream):
        return True
    packets = packets_from(container, stream, video.table.pts[0])
    if video.codec == "h264" and _is_rising(video.table.pts):
        packets = _until(packets, video.table.pts[-1])
        return _is_told_in_order(packets, stream.codec_context.extradata)
    return _is_decoded_in_order(packets, stream)


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


def _until(packets: Iterable[Packet[VideoStream]], last: int) -> Iterator[Packet[VideoStream]]:
    for packet in packets:
        yield packet
        if packet.pts is not None and packet.pts >= last:
            return


def _is_told_in_order(packets: Iterable[Packet[VideoStream]], extradata: bytes | None) -> bool:
    """Whether H.264 *packets* are shown in the order in which they are coded, by their headers."""
    prefix = nal.length_size("h264", extradata)
    sequence = slices.sequence_of(nal.stored_sequences("h264", extradata))
    before = 0
    for packet in packets:
        units = list(nal.units(bytes(packet), prefix))
        sequence = slices.sequence_of(units) or sequence
        if sequence is None or sequence.order_kind == _CYCLE:
            return False
        for first in slices.first_slices(units, sequence):
            # Counts start again after their highest: less than half of it away is later.
            ahead = (first.order - before) % (1 << sequence.order_bits)
            if not first.instant and 2 * ahead > 1 << sequence.order_bits:
                return False
            before = first.order
    return True


def _is_decoded_in_order(packets: Iterable[Packet[VideoStream]], stream: VideoStream) -> bool:
    """Whether the time stamps of decoded pictures rise."""
    decoded = islice(_decoded(packets, stream), _LOOK_PICTURES)
    return _is_rising(frame.pts for frame in decoded if frame.pts is not None)


def _decoded(
    packets: Iterable[Packet[VideoStream]], stream: VideoStream
) -> Iterator[av.VideoFrame]:
    decoder = hasty_decoder(stream)
    for packet in chain(packets, [None]):
        try:
            yield from decoder.decode(packet)
        except av.FFmpegError:
            continue  # a stream cut in mid-GOP starts with pictures nobody can decode
