"""Measuring a result anew: facts, digests of its packets, and how much of it decodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from preprocess.intent import VerifyLevel, Window, WindowKind
from preprocess.job import Measured, Opening, ProbeRequest, VerifyRequest
from preprocess.native import (
    arm_decoder,
    audio_stream,
    decoded_sound,
    open_input,
    tick_s,
    video_stream,
)
from preprocess.probe import nal
from preprocess.probe.order import Told
from preprocess.probe.video import probe_descriptor

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from preprocess.facts import AudioTrack, Facts, VideoTrack

_ORDER_PICTURES = 48
"""Pictures of a copy decoded for their order, where they do not tell it: three times the most that
are reordered."""
_READ_ON_S = Fraction(5)
"""A result that is longer than its cap is still measured this far, so that the check can say it."""


def read_back(fd: int, request: VerifyRequest, threads: int) -> Measured:
    """Measure the result behind *fd*.

    Raises:
        av.FFmpegError and others: the result cannot even be opened.
    """
    probed = probe_descriptor(
        fd,
        ProbeRequest(
            window=Window(kind=WindowKind.HEAD),
            cap_s=request.cap_s + _READ_ON_S,
            tail_tolerance_s=Fraction(0),
        ),
    )
    facts = probed.facts
    if not isinstance(probed.opening, Opening) or facts.video is None:
        return Measured(facts=facts, picture_digests=(), sound_digests=(), decoded=0, to_decode=1)
    digested = request.copied or request.sound_copied
    packets = _read_packets(fd, probed.opening, facts) if digested else _Packets()
    counted, to_decode = _decode(fd, probed.opening, facts, request, threads, told=packets.in_order)
    in_order = packets.in_order is not False and counted.in_order
    audio = facts.audio if request.sound else None
    spans = audio.spans if audio is not None else None
    return Measured(
        facts=facts,
        picture_digests=tuple(packets.pictures),
        sound_digests=tuple(packets.sounds),
        decoded=counted.whole,
        to_decode=to_decode,
        in_order=in_order and facts.video.table.exact_pts,
        sound_s=_heard_s(fd, probed.opening, facts.video, audio) if audio and spans else None,
        sound_to_decode_s=sum((s.end_s - s.start_s for s in spans), Fraction(0)) if spans else None,
    )


@dataclass(slots=True)
class _Packets:
    """What packets are, without decoding them."""

    pictures: list[str] = field(default_factory=list)
    """Digests."""
    sounds: list[str] = field(default_factory=list)
    in_order: bool | None = None
    """Whether time stamps are in the order that the pictures tell; ``None``: they do not."""


def _read_packets(fd: int, opening: Opening, facts: Facts) -> _Packets:
    video = facts.video
    assert video is not None  # noqa: S101 - the caller has looked
    found = _Packets()
    with open_input(fd, opening) as container:
        extradata = video_stream(container, video.stream).codec_context.extradata
        prefix = nal.length_size(video.codec, extradata)
        told = Told(extradata) if video.codec == "h264" else None
        for packet in container.demux():
            if not packet.size:
                continue
            data = bytes(packet)
            if packet.stream_index == video.stream:
                found.pictures.append(nal.picture_digest(video.codec, data, prefix))
                if told is not None:
                    told.take(packet)
            else:
                found.sounds.append(nal.sound_digest(data))
        found.in_order = told.is_kept() if told is not None else None
    return found


def _decode(
    fd: int,
    opening: Opening,
    facts: Facts,
    request: VerifyRequest,
    threads: int,
    *,
    told: bool | None,
) -> tuple[_Counted, int]:
    """(decoded, wanted): the start of a copy, first and last GOP of an encode, or all.

    *told*: what pictures tell of their order, if they do.
    """
    video = facts.video
    assert video is not None  # noqa: S101 - the caller has looked
    total = len(video.table.pts)
    counted = _Counted()
    with open_input(fd, opening) as container:
        stream = video_stream(container, video.stream)
        arm_decoder(stream, threads)
        # Damage shows in parsing; how the picture would look is nobody's question here.
        stream.codec_context.options = {
            **stream.codec_context.options,
            "skip_loop_filter": "all",
        }
        if request.level is VerifyLevel.FULL:
            counted.add(container, stream, total)
            return counted, total
        keys = [sync.index for sync in video.table.sync] or [0]
        first = keys[1] if len(keys) > 1 else total
        if request.copied:
            unknown = told is None and stream.codec_context.has_b_frames
            first = min(first, _ORDER_PICTURES) if unknown else 1
        counted.add(container, stream, first)
        if len(keys) == 1 or request.copied:
            return counted, first
        container.seek(video.table.pts[keys[-1]], stream=stream, backward=True)
        stream.codec_context.flush_buffers()
        last = total - keys[-1]
        counted.add(container, stream, last)
        return counted, first + last


class _Counted:
    """Pictures that were decoded."""

    def __init__(self) -> None:
        self.whole = 0
        self.in_order = True
        self._last: int | None = None

    def add(self, container: InputContainer, stream: VideoStream, wanted: int) -> None:
        """Decode up to *wanted* whole pictures from here on."""
        left = wanted
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # counted by its absence
            for frame in frames[:left]:
                self._take(frame)
                left -= not frame.is_corrupt
            if left <= 0:
                return

    def _take(self, frame: av.VideoFrame) -> None:
        self.whole += not frame.is_corrupt
        if frame.pts is not None:
            self.in_order &= self._last is None or frame.pts > self._last
            self._last = frame.pts


def _heard_s(fd: int, opening: Opening, video: VideoTrack, audio: AudioTrack) -> Fraction:
    """Decode the sound that *audio* promises around the window; how much of it there is."""
    heard_s = Fraction(0)
    origin_s = video.table.origin_pts * video.table.time_base
    with open_input(fd, opening) as container:
        stream = audio_stream(container, audio.stream)
        arm_decoder(stream, 1)
        for packet in container.demux(stream):
            time_s = (packet.pts or 0) * tick_s(stream) + audio.offset_s - origin_s
            for frame in decoded_sound(packet):
                end_s = time_s + Fraction(frame.samples, frame.sample_rate)
                heard_s += sum(span.shared_s(time_s, end_s) for span in audio.spans or ())
                time_s = end_s
    return heard_s
