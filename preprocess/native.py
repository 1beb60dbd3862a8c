"""The one place where strangers' bytes meet FFmpeg: every input is opened here, worker only.

Whitelists are set at open *and* again on every decoder, because `av.open` options reach only the
probing decoders (PyAV 18.1.0).
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
import av.logging

from preprocess.probe.packed import Unpacked, is_packed
from preprocess.untrusted import (
    ALPHA_DECODERS,
    AUDIO_DECODERS,
    CODEC_WHITELIST,
    MAX_PIXELS,
    VIDEO_DECODERS,
    demuxing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.codec.context import CodecContext
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

    from preprocess.job import Opening

# FFmpeg's log lock has deadlocked threaded decoders (PyAV #751, #2276); messages come as errors.
av.logging.set_level(None)

_CODEC_OPTIONS = {"max_pixels": str(MAX_PIXELS), "codec_whitelist": CODEC_WHITELIST}

DECODE_TIMES = {"avi", "asf"}
"""Containers with one time for a picture. FFmpeg takes it for a decode time and adds a reordering
delay that it guesses: one or two pictures for H.264 that has none (8.1.2). Sound keeps its time.
Players show the first picture at its own time."""
UNMEANT_S, MEANT_S = Fraction(1, 100), Fraction(1, 10)
"""Animated images: delays up to 10 ms are shown as 100 ms by Chromium, Firefox and Safari."""


@contextmanager
def open_input(fd: int, opening: Opening) -> Iterator[InputContainer]:
    """Open the regular file behind *fd*.

    Raises:
        av.FFmpegError, OSError, ValueError and others: the exception surface of hostile files is
            wide; callers map by stage, never by message.
    """
    os.lseek(fd, 0, os.SEEK_SET)  # FFmpeg's fd: protocol starts at the current offset
    options = {
        "protocol_whitelist": "fd",
        "fd": str(fd),
        **demuxing(opening.demuxer, ignore_edits=opening.ignore_edits),
    }
    container = av.open(
        "fd:",
        mode="r",
        format=opening.demuxer,
        options=dict(_CODEC_OPTIONS),
        container_options=options,
        metadata_errors="replace",
    )
    try:
        yield container
    finally:
        container.close()


def demuxed(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Stream]]:
    """The packets of *streams*, with the times at which they are shown where FFmpeg tells others.

    Those of a GIF as browsers have it; packed MPEG-4 in AVI is taken apart.
    """
    clock = 0
    packed = _packed(container, streams)
    for packet in container.demux(*streams):
        unpacked = packed.get(packet.stream.index)
        if unpacked is not None and packet.size:
            yield from unpacked.feed(packet)
            continue
        if unpacked is not None and packet.dts is None:  # the end
            yield from unpacked.finish()
        if packet.size and container.format.name == "gif":
            clock = _retime(packet, clock)
        yield packet


def _packed(container: InputContainer, streams: Sequence[Stream]) -> dict[int, Unpacked]:
    if container.format.name != "avi":
        return {}
    contexts = {stream.index: (stream, decoder_of(stream)) for stream in streams}
    return {
        index: Unpacked(stream)
        for index, (stream, context) in contexts.items()
        if context is not None and context.name == "mpeg4" and is_packed(context.extradata)
    }


def _retime(packet: Packet[Stream], clock: int) -> int:
    """Move *packet* to *clock*, with the delay browsers give it; when the next one comes.

    FFmpeg's parser gives 10 ms as they are, whatever the demuxer's ``min_delay`` says (8.1.2).
    """
    tick, shown = tick_s(packet.stream), packet.duration or 0
    packet.duration = shown if shown * tick > UNMEANT_S else int(MEANT_S / tick)
    packet.pts = packet.dts = 0 if packet.is_keyframe else clock  # only the first picture is one
    return packet.pts + packet.duration


_SEEK_MARGINS_S = (2, 10)
"""Sound of a moment can be stored earlier than its picture, and MPEG-TS seeks by guessing: land
this long before, then further, then at the beginning."""


_FAR_S = 10
"""Pictures this long before the wanted one are not read for the sake of a packet of sound."""


def order_time(packet: Packet[Stream], container: InputContainer) -> int | None:
    """The time at which *packet* takes its turn, where none says when it is shown."""
    if packet.pts is None or container.format.name in DECODE_TIMES:
        return packet.dts
    return packet.pts


def seek_before(
    container: InputContainer, stream: Stream, pts: int, demuxer: str, *, lead_s: Fraction
) -> None:
    """Go to a key picture at or before *pts*, wherever the container allows it.

    *lead_s*: sound is wanted from this long before.
    """
    point = seek_point(container, stream, pts, demuxer, lead_s=lead_s)
    if point is None:
        rewind(container)
    else:
        container.seek(point, stream=stream, backward=True)


def rewind(container: InputContainer) -> None:
    """Go to the first packet of the file.

    FLV has no way to seek of its own, and the general one refuses times before the first key
    picture, and passes over sound that is stored before it (libavformat/seek.c,
    ``seek_frame_generic``, 8.1.2). A place in bytes has neither fault.
    """
    in_bytes = container.format.name == "flv"
    container.seek(0, backward=True, unsupported_byte_offset=in_bytes)


def packets_from(
    container: InputContainer, stream: VideoStream, pts: int
) -> Iterator[Packet[Stream]]:
    """Packets of *stream* from the one at *pts* on or earlier, to the end."""
    demuxer = container.format.name.split(",")[0]
    seek_before(container, stream, pts, demuxer, lead_s=Fraction(0))
    return (packet for packet in demuxed(container, [stream]) if packet.size)


def seek_point(
    container: InputContainer, stream: Stream, pts: int, demuxer: str, *, lead_s: Fraction
) -> int | None:
    """What to seek for, in ticks, so as to land as `seek_before` says; ``None``: the beginning.

    The container is somewhere else afterwards.
    """
    if demuxer == "mov":
        near = pts - int(_FAR_S / tick_s(stream))
        early = pts - int(lead_s / tick_s(stream)) - 1 if lead_s else pts
        lands = early != pts and _lands_between(container, stream, early, (near, pts))
        return early if lands else pts
    for margin in _SEEK_MARGINS_S:
        ticks = pts - int(margin / tick_s(stream))
        if _lands_between(container, stream, ticks, (None, pts)):
            return ticks
    return None


def _lands_between(
    container: InputContainer, stream: Stream, target: int, bounds: tuple[int | None, int]
) -> bool:
    low, high = bounds
    try:
        container.seek(target, stream=stream, backward=True)
        found = next((p for p in container.demux(stream) if p.size and p.is_keyframe), None)
    except av.FFmpegError:
        return False
    if found is None or found.pts is None:
        return False
    return found.pts <= high and (low is None or found.pts >= low)


def tick_s(stream: Stream) -> Fraction:
    """Seconds of one tick of *stream*'s time stamps."""
    return Fraction(stream.time_base) if stream.time_base else Fraction(1, 1000)


def video_stream(container: InputContainer, index: int) -> VideoStream:
    """The picture track with that number."""
    return next(stream for stream in container.streams.video if stream.index == index)


def audio_stream(container: InputContainer, index: int) -> AudioStream:
    """The sound track with that number."""
    return next(stream for stream in container.streams.audio if stream.index == index)


def decoder_of(stream: Stream) -> CodecContext | None:
    """The decoder of any track; ``None`` where FFmpeg has none, whatever PyAV's stubs say."""
    return cast("CodecContext | None", stream.codec_context)


def picture_context(stream: VideoStream) -> VideoCodecContext | None:
    """The decoder of a picture track; ``None`` where FFmpeg has none, whatever PyAV's stubs say."""
    return cast("VideoCodecContext | None", stream.codec_context)


def sound_context(stream: AudioStream) -> AudioCodecContext | None:
    """The decoder of a sound track, as `picture_context`."""
    return cast("AudioCodecContext | None", stream.codec_context)


def layout_of(context: AudioCodecContext) -> av.AudioLayout:
    """The channels of the sound, as far as the decoder knows."""
    return _kept(context.layout)


def _kept(layout: av.AudioLayout) -> av.AudioLayout:
    """*layout*, never to be freed.

    It would free the list of its channels, which belongs to the decoder or frame it was read from,
    and the second time kills the process (PyAV 18.1.0, av/audio/layout.py, since PyAV #2284). Only
    unusual orders of channels have a list; QuickTime writes them in ``chan``. To go when
    ``get_audio_layout`` copies with ``av_channel_layout_copy``.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return layout


def is_decodable(stream: Stream) -> bool:
    """Whether *stream*'s decoder is on our list."""
    context: CodecContext | None = getattr(stream, "codec_context", None)
    if context is None:
        return False
    allowed = VIDEO_DECODERS if stream.type == "video" else AUDIO_DECODERS
    return context.name in allowed


def arm_decoder(stream: Stream, threads: int) -> None:
    """Set the limits and thread count of *stream*'s decoder; to be called before it opens."""
    _arm(stream.codec_context, threads)


def picture_decoder(stream: VideoStream, threads: int, *, alpha: bool) -> VideoCodecContext:
    """The decoder of a picture track, armed; with *alpha* one that gives transparency."""
    context = stream.codec_context
    name = ALPHA_DECODERS.get(context.name) if alpha else None
    if name is not None:
        context = av.Codec(name, "r").create("video")
    _arm(context, threads)
    return context


def has_alpha_beside(packet: Packet[VideoStream]) -> bool:
    """Whether the picture's alpha is stored beside it (Matroska's ``BlockAdditional``).

    The track says so, in one case of letters or the other; browsers also say it of recordings
    without any.
    """
    if not packet.has_sidedata("matroska_block_additional"):
        return False
    tags = packet.stream.metadata.items()
    return any(name.lower() == "alpha_mode" and value == "1" for name, value in tags)


def _arm(context: CodecContext, threads: int) -> None:
    context.options = dict(_CODEC_OPTIONS)
    context.thread_count = threads
    context.thread_type = "AUTO" if threads > 1 else "NONE"


def strict_decoder(stream: Stream) -> VideoCodecContext:
    """A decoder of its own for a picture track, which refuses damage instead of hiding it."""
    return _own_decoder(stream, {"err_detect": "crccheck+bitstream+buffer+explode"})


def hasty_decoder(stream: Stream) -> VideoCodecContext:
    """A decoder of its own for a picture track, where nobody looks at the pictures."""
    return _own_decoder(stream, {"skip_loop_filter": "all"})


def _own_decoder(stream: Stream, options: dict[str, str]) -> VideoCodecContext:
    template = cast("VideoCodecContext", stream.codec_context)
    context = template.codec.create("video")
    context.extradata = template.extradata
    context.width, context.height = template.width, template.height  # WMV's only say it outside
    # MPEG-4: what is wrong with a stream, and packed pictures among it, is known by its writer.
    context.codec_tag = template.codec_tag
    context.options = {**_CODEC_OPTIONS, **options}
    context.thread_count = 1
    return context


def decoded_sound(packet: Packet[Stream] | Packet[AudioStream]) -> list[av.AudioFrame]:
    """The frames of a packet of sound; none where it is damaged, for callers that keep account."""
    try:
        frames = [frame for frame in packet.decode() if isinstance(frame, av.AudioFrame)]
    except MemoryError:  # also an FFmpegError, and not the file's fault
        raise
    except av.FFmpegError:
        return []
    for frame in frames:
        _kept(frame.layout)
    return frames
