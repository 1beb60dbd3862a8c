"""Facts of a moving picture: the only reader of PyAV's and the index's numbers."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from preprocess.facts import (
    Dynamic,
    Facts,
    IndexPlace,
    Kind,
    StreamFacts,
    SyncKind,
    VideoTrack,
)
from preprocess.geometry import Orientation, Size, displayed_size
from preprocess.job import Opening, Probed
from preprocess.native import (
    arm_decoder,
    has_alpha_beside,
    is_decodable,
    open_input,
    packets_from,
    picture_context,
    sound_context,
    video_stream,
)
from preprocess.probe import bmff, fields, nal, order, scan, tables
from preprocess.probe.boxes import BoxError
from preprocess.probe.colours import Seen, beside, settle
from preprocess.probe.private import private_topic
from preprocess.probe.sniff import HEAD_BYTES, Sniffed, sniff
from preprocess.untrusted import MAX_STREAMS

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

    from preprocess.job import ProbeRequest

_PROGRESSIVE, _FIELD_ORDER_UNKNOWN = 1, 0
_COVER = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
_INTERLACED_CODECS = {"h264", "mpeg2video", "vc1", "wmv3", "dvvideo", "mjpeg", "prores", "dnxhd"}
# Keys that FFmpeg adds itself or that only name the writing software.
_PLAIN_TAGS = {
    *("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "language"),
    *("vendor_id", "handler_name", "variant_bitrate", "bps", "number_of_frames"),
    *("number_of_bytes", "_statistics_writing_app", "_statistics_tags", "alpha_mode", "timecode"),
    *("metadatacreator", "hasvideo", "hasaudio", "hasmetadata", "haskeyframes", "datasize"),
    *("videosize", "audiosize", "canseektoend", "wm/wmadrcpeakreference"),
    "deviceconformancetemplate",
}


def probe_descriptor(fd: int, request: ProbeRequest) -> Probed:
    """Measure the regular file behind *fd*; damage becomes `Facts.fault`, never an exception."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        msg = "a probe needs a regular file"
        raise ValueError(msg)
    head = os.pread(fd, HEAD_BYTES, 0)
    sniffed = sniff(head)
    facts = Facts(
        kind=sniffed.kind,
        container=sniffed.container,
        description=sniffed.description,
        size_bytes=status.st_size,
        supported=sniffed.supported,
        bytes_read=len(head),
    )
    if sniffed.kind is Kind.IMAGE and sniffed.container is not None:
        return _probe_picture(fd, facts, sniffed, request)
    if not sniffed.supported:
        return Probed(facts=facts, opening=None)
    movie = None
    if sniffed.demuxer == "mov":
        try:
            movie = bmff.read_movie(fd, status.st_size)
        except BoxError as error:
            rule = "input.truncated" if error.truncated else "input.corrupt"
            return Probed(facts=replace(facts, fault=rule, fault_detail=str(error)), opening=None)
        facts = _with_movie(facts, movie)
        if len(movie.tracks) > MAX_STREAMS:
            detail = f"{len(movie.tracks)} tracks, at most {MAX_STREAMS} are opened"
            fault = replace(facts, fault="input.streams", fault_detail=detail)
            return Probed(facts=fault, opening=None)
    return _probe_opened(fd, facts, sniffed, movie, request)


def _probe_picture(fd: int, facts: Facts, sniffed: Sniffed, request: ProbeRequest) -> Probed:
    """A still image, or an animated one, which is also a clip."""
    from preprocess.probe import animation, still  # noqa: PLC0415 - Pillow is for images only

    facts = still.probe_image(fd, facts)
    if facts.image is None or not facts.image.animated:
        return Probed(facts=facts, opening=None)
    problem = animation.too_large(facts.image)
    if problem is not None:
        fault = replace(facts, fault="input.pixels", fault_detail=problem)
        return Probed(facts=fault, opening=None)
    try:
        if animation.needs_pillow(fd, facts.image, facts.container or ""):
            return animation.probe_animation(fd, facts, request)
        return animation.completed(fd, _probe_opened(fd, facts, sniffed, None, request))
    except (*_DAMAGE, BoxError) as error:
        fault = replace(facts, fault="input.corrupt", fault_detail=_plain(error))
        return Probed(facts=fault, opening=None)


def _with_movie(facts: Facts, movie: bmff.Movie) -> Facts:
    place = IndexPlace.FIRST if movie.index_first else IndexPlace.LAST
    private = set(movie.private)
    if facts.size_bytes > movie.media_end and not movie.fragmented:
        private.add("trailing_data")
    return replace(
        facts,
        brands=movie.brands,
        index=IndexPlace.FRAGMENTED if movie.fragmented else place,
        encrypted=movie.encrypted,
        private_metadata=tuple(sorted(private)),
        bytes_read=(facts.bytes_read or 0) + movie.bytes_read,
        duration_s_from_header=Fraction(movie.duration, movie.time_scale or 1) or None,
    )


def _probe_opened(
    fd: int, facts: Facts, sniffed: Sniffed, movie: bmff.Movie | None, request: ProbeRequest
) -> Probed:
    indexed = movie is not None and not movie.fragmented and movie.has_simple_edits
    opening = Opening(demuxer=sniffed.demuxer or "", ignore_edits=indexed)
    try:
        with open_input(fd, opening) as container:
            facts = _container_facts(facts, container, movie)
            stream = choose_video(container, movie)
            if stream is None:
                return Probed(facts=_without_picture(facts, container), opening=opening)
            source = tables.Source(fd, container, movie, indexed, request)
            facts = _measure(facts, source, stream)
    except tables.TruncatedError as error:
        fault = replace(facts, fault=error.rule, fault_detail=str(error))
        return Probed(facts=fault, opening=None)
    except _DAMAGE as error:
        fault = replace(facts, fault="input.corrupt", fault_detail=_plain(error))
        return Probed(facts=fault, opening=None)
    return Probed(facts=facts, opening=opening)


# FFmpegError is an OSError or ValueError by errno; the rest is what hostile files were seen to
# raise from PyAV. A real memory limit is told by the worker's budget.
_DAMAGE = (av.FFmpegError, OSError, ValueError, IndexError, UnicodeDecodeError, ZeroDivisionError)


def _plain(error: BaseException) -> str:
    if isinstance(error, EOFError):
        return "it ends before anything can be read from it"
    text = getattr(error, "strerror", None)
    return text or f"{type(error).__name__}: {error}"


def _without_picture(facts: Facts, container: InputContainer) -> Facts:
    streams = container.streams
    if any(not stream.disposition & _COVER for stream in streams.video):
        return replace(facts, fault="input.no_picture", fault_detail="no picture can be read")
    kind = Kind.AUDIO if streams.audio else Kind.OTHER
    cover = " but a cover" if streams.video else ""
    description = f"{facts.description} without a picture track{cover}"
    return replace(facts, kind=kind, description=description)


def _container_facts(facts: Facts, container: InputContainer, movie: bmff.Movie | None) -> Facts:
    formats = {track.id: track.format for track in movie.tracks} if movie else {}
    streams = tuple(_stream_facts(s, formats.get(s.id)) for s in container.streams)
    private = set(facts.private_metadata)
    private.update(f"data:{s.codec or 'unknown'}" for s in streams if s.kind == "data")
    if movie is None:
        tags = [*container.metadata, *(tag for s in container.streams for tag in s.metadata)]
        plain = (tag for tag in tags if tag.lower().split("-")[0] not in _PLAIN_TAGS)
        private.update(topic for tag in plain if (topic := private_topic(tag)))
    if _has_chapters(container):
        private.add("chapters")
    duration = Fraction(container.duration, av.time_base) if container.duration else None
    return replace(
        facts,
        streams=streams,
        private_metadata=tuple(sorted(private)),
        duration_s_from_header=facts.duration_s_from_header or duration,
    )


def _has_chapters(container: InputContainer) -> bool:
    chapters = getattr(container, "chapters", None)
    return bool(chapters() if callable(chapters) else chapters)


def _stream_facts(stream: Stream, sample_entry: str | None) -> StreamFacts:
    context = getattr(stream, "codec_context", None)
    named = [
        (flag.name or "").lower() for flag in type(stream.disposition) if flag & stream.disposition
    ]
    return StreamFacts(
        index=stream.index,
        kind=stream.type,
        codec=context.codec.canonical_name if context else sample_entry,
        disposition=tuple(sorted(str(name) for name in named)),
        language=stream.language,
    )


def choose_video(container: InputContainer, movie: bmff.Movie | None) -> VideoStream | None:
    """The picture track a person would call the video: no cover, no thumbnail, no empty track.

    Decodable ones first, then the default one, then the one with most pixels over all its
    pictures (a motion photo's few large stills lose), then the first.
    """
    samples: dict[int, int] = {}
    if movie is not None and not movie.fragmented:
        samples = {track.id: track.samples for track in movie.tracks}
    fit = [
        stream
        for stream in container.streams.video
        if not stream.disposition & _COVER and samples.get(stream.id, 1)
    ]
    return max(
        fit,
        key=lambda stream: (
            is_decodable(stream),
            bool(stream.disposition & av.stream.Disposition.default),
            _area(stream) * samples.get(stream.id, 1),
            -stream.index,
        ),
        default=None,
    )


def _area(stream: VideoStream) -> int:
    context = picture_context(stream)
    return (context.width or 0) * (context.height or 0) if context else 0


def choose_audio(
    container: InputContainer, undecodable: tuple[int, ...]
) -> tuple[AudioStream | None, tuple[str, ...]]:
    """The sound track a person would hear, and those before it that nothing here reads.

    The default one first, then the first, among those that decode; *undecodable* ones were tried.
    Where nothing decodes it is the first, so that its loss can be told.
    """
    default = av.stream.Disposition.default
    tracks = sorted(container.streams.audio, key=lambda s: (not s.disposition & default, s.index))
    for place, stream in enumerate(tracks):
        if is_decodable(stream) and stream.index not in undecodable:
            return stream, tuple(_track_name(other) for other in tracks[:place])
    return (tracks[0] if tracks else None), ()


def _track_name(stream: AudioStream) -> str:
    context = sound_context(stream)
    return f"track {stream.index} ({context.codec.canonical_name if context else 'unknown'})"


def _measure(facts: Facts, source: tables.Source, stream: VideoStream) -> Facts:
    chosen, passed_over = choose_audio(source.container, source.request.undecodable)
    if source.indexed:
        read = tables.read_indexed(source, stream, chosen, facts.size_bytes)
    else:
        read = scan.read_scanned(source, stream, chosen)
    if not read.table.pts:
        return replace(facts, fault="input.no_picture", fault_detail="the picture track is empty")
    context, audio = picture_context(stream), read.audio
    if context is None:
        video = _unknown_video(stream, source, read)
    else:
        video = _inspect_syncs(_video_track(stream, source, read, Seen()), source, stream)
        if _leaves_questions(video, source):
            video = _after_first_picture(video, source, stream, read)
        if not order.is_kept(video, source.container, stream):
            video, audio = order.by_turns(video, audio, read)
        if video.interlaced and video.codec == "h264":
            packets = packets_from(source.container, stream, video.table.pts[0])
            video = fields.join(video, packets, stream.codec_context.extradata)
    return replace(
        facts,
        video=video,
        audio=replace(audio, passed_over=passed_over) if audio else None,
        bytes_read=None if read.bytes_read is None else (facts.bytes_read or 0) + read.bytes_read,
    )


def _movie_track(source: tables.Source, stream: Stream) -> bmff.Track | None:
    if source.movie is None:
        return None
    return next((track for track in source.movie.tracks if track.id == stream.id), None)


def _unknown_video(stream: VideoStream, source: tables.Source, read: tables.Read) -> VideoTrack:
    track = _movie_track(source, stream)
    return _video(stream, read, codec=(track.format if track else "") or "unknown", decodable=False)


def _video(stream: VideoStream, read: tables.Read, *, codec: str, decodable: bool) -> VideoTrack:
    return VideoTrack(
        stream=stream.index,
        codec=codec,
        profile=None,
        level=None,
        decodable=decodable,
        coded=Size(0, 0),
        displayed=Size(0, 0),
        orientation=Orientation.NORMAL,
        sample_aspect=Fraction(1),
        pixel_format=None,
        bit_depth=None,
        color_matrix=None,
        color_primaries=None,
        color_transfer=None,
        full_range=None,
        dynamic=Dynamic.SDR,
        dolby_vision_profile=None,
        interlaced=None,
        has_b_frames=read.has_b_frames,
        alpha=False,
        edit=read.edit,
        table=read.table,
        duration_s=read.duration_s,
        media_duration_s=read.media_duration_s,
        frames=read.frames,
        bit_rate_bps=read.bit_rate_bps,
        duration_s_from_header=_seconds(stream.duration, stream.time_base),
        frames_from_header=stream.frames or None,
        frame_rate_from_header=stream.average_rate or None,
        readable_frames=read.readable_frames,
        left_out=read.left_out,
        lossy=read.lossy,
        uniform=read.uniform,
    )


def _video_track(
    stream: VideoStream, source: tables.Source, read: tables.Read, seen: Seen
) -> VideoTrack:
    context = stream.codec_context
    track = _movie_track(source, stream)
    dolby = track.dolby_vision if track else None
    points = context.color_primaries, context.color_trc, context.colorspace
    colours = settle(points, track.colour_points if track else None, dolby, seen)
    coded = Size(context.width or 0, context.height or 0)
    orientation = track.orientation if track else Orientation.NORMAL
    sample_aspect = _sample_aspect(stream)
    pixel_format = context.pix_fmt
    details = av.VideoFormat(pixel_format) if pixel_format else None
    base = _video(stream, read, codec=context.codec.canonical_name, decodable=is_decodable(stream))
    return replace(
        base,
        profile=context.profile,
        level=context.level if context.level and context.level > 0 else None,
        coded=coded,
        displayed=displayed_size(coded, sample_aspect, orientation or Orientation.NORMAL),
        orientation=orientation,
        sample_aspect=sample_aspect,
        pixel_format=pixel_format,
        bit_depth=max((c.bits for c in details.components), default=8) if details else None,
        alpha=bool(details and _has_alpha(details)),
        color_matrix=colours.matrix,
        color_primaries=colours.primaries,
        color_transfer=colours.transfer,
        full_range=_full_range(context.color_range, pixel_format),
        dynamic=colours.dynamic,
        dolby_vision_profile=dolby.profile if dolby else None,
        interlaced=_interlaced(context.field_order),
    )


def _has_alpha(details: av.VideoFormat) -> bool:
    return any(component.is_alpha for component in details.components)


def _interlaced(field_order: int) -> bool | None:
    if field_order == _FIELD_ORDER_UNKNOWN:
        return None
    return field_order != _PROGRESSIVE


def _full_range(color_range: int, pixel_format: str | None) -> bool | None:
    if pixel_format and pixel_format.startswith("yuvj"):
        return True
    return {1: False, 2: True}.get(color_range)


def _sample_aspect(stream: VideoStream) -> Fraction:
    value = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(value) if value and value > 0 else Fraction(1)


def _seconds(ticks: int | None, time_base: Fraction | None) -> Fraction | None:
    return ticks * Fraction(time_base) if ticks and time_base else None


def _inspect_syncs(video: VideoTrack, source: tables.Source, stream: VideoStream) -> VideoTrack:
    """Read what the key pictures promise that a window may start from."""
    if not source.indexed or video.codec not in ("h264", "hevc"):
        return video  # a scan has seen them all
    table = video.table
    wanted = tables.start_candidates(table, source.request)
    if not wanted:
        return video
    prefix = nal.length_size(video.codec, stream.codec_context.extradata)
    found: dict[int, SyncKind] = {}
    pts_wanted = {table.pts[i] for i in wanted}
    last = max(wanted)
    source.container.seek(table.pts[min(wanted)], stream=stream, backward=True, any_frame=False)
    for count, packet in enumerate(source.container.demux(stream)):
        if packet.size == 0 or count > last - min(wanted) + tables.SEEK_SLACK:
            break
        if packet.pts in pts_wanted or (packet.pts is None and packet.dts in pts_wanted):
            stamp = packet.pts if packet.pts is not None else packet.dts or 0
            found[stamp] = nal.sync_kind(video.codec, bytes(packet), prefix)
        if len(found) == len(pts_wanted):
            break
    syncs = tuple(
        replace(sync, kind=found.get(table.pts[sync.index], sync.kind)) for sync in table.sync
    )
    return replace(video, table=replace(table, sync=syncs))


def _leaves_questions(video: VideoTrack, source: tables.Source) -> bool:
    """Whether headers leave a question open that changes the plan."""
    unsure_scan = video.interlaced is None and video.codec in _INTERLACED_CODECS
    # Only the decoder knows what an AV1 stream says of its colours, and what metadata come with it.
    unsure_dynamic = (video.bit_depth or 8) > 8 or video.dynamic is not Dynamic.SDR  # noqa: PLR2004
    unsure_turn = source.movie is None
    unsure_format = video.pixel_format is None
    return video.decodable and (unsure_scan or unsure_dynamic or unsure_turn or unsure_format)


def _after_first_picture(
    video: VideoTrack, source: tables.Source, stream: VideoStream, read: tables.Read
) -> VideoTrack:
    """Decode one picture; the open decoder then knows what the headers left out."""
    frame, alpha = _first_frame(source, video)
    if frame is None:
        return video
    seen = replace(_video_track(stream, source, read, beside(frame)), table=video.table)
    turned = _TURNS.get(frame.rotation % 360) if source.movie is None else seen.orientation
    orientation = turned or seen.orientation
    return replace(
        seen,
        alpha=seen.alpha or alpha,
        interlaced=bool(frame.interlaced_frame),
        orientation=orientation,
        displayed=displayed_size(seen.coded, seen.sample_aspect, orientation or Orientation.NORMAL),
    )


# PyAV gives av_display_rotation_get: counter-clockwise degrees that the picture was turned.
_TURNS = {
    0: Orientation.NORMAL,
    90: Orientation.COUNTERCLOCKWISE,
    180: Orientation.HALF_TURN,
    270: Orientation.CLOCKWISE,
}
_LOOK_PACKETS = 300
"""A decodable stream shows its first picture well within this many packets."""


def _first_frame(source: tables.Source, video: VideoTrack) -> tuple[av.VideoFrame | None, bool]:
    """The first picture, and whether its alpha is stored beside it."""
    alpha = False
    stream = video_stream(source.container, video.stream)
    arm_decoder(stream, 1)
    source.container.seek(min(video.table.pts), stream=stream, backward=True)
    for count, packet in enumerate(source.container.demux(stream)):
        alpha = alpha or has_alpha_beside(packet)
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue  # a stream cut in mid-GOP starts with pictures nobody can decode
        if frames:
            return frames[0], alpha
        if count > _LOOK_PACKETS:
            break
    return None, alpha
