"""Picture tables of files without a usable index, by reading packets up to the window's end."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import av
from av.video.codeccontext import VideoCodecContext

from preprocess.facts import AudioTrack, EditShape, PictureTable, Sync
from preprocess.intent import WindowKind
from preprocess.native import (
    DECODE_TIMES,
    decoder_of,
    demuxed,
    layout_of,
    rewind,
    sound_context,
    tick_s,
)
from preprocess.probe import damage, declared, nal
from preprocess.probe.last_gop import LastGop
from preprocess.probe.seen import Seen, coded
from preprocess.probe.sound_index import frame_samples
from preprocess.probe.spans import spans
from preprocess.probe.tables import (
    LOOK_AHEAD_S,
    MAX_PICTURES,
    REORDER_SLACK,
    Read,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.stream import Stream

_SEEK_MARGIN_S = Fraction(5)
"""A tail is looked for from this long before its start; the nearest key picture may be earlier."""
_PAUSING = {"gif", "apng"}
"""Containers whose last picture can stay longer than the others, and says so."""
_QUIET_PACKETS = 4000
"""Sound packets read after the picture has passed the window's end, while sound still lags."""


@dataclass(slots=True)
class _Scan:
    picture: Seen = field(default_factory=Seen)
    last_gop: LastGop = field(default_factory=LastGop)
    sound: Seen = field(default_factory=Seen)
    sound_tick: Fraction | None = None
    """Seconds of one tick of the sound."""
    first_sound: int | None = None
    """pts of the first sound packet of the file."""
    clocks_s: dict[int, Fraction] = field(default_factory=dict)
    """Decode time of each stream's last packet."""
    origin: int | None = None
    ahead: int = 0
    """Ticks from the first picture's decode time to its presentation time."""
    at_start: bool = True
    at_end: bool = False
    parameter_sets: set[bytes] = field(default_factory=set)
    """What key pictures say of size and format."""
    hidden: bool = False
    """FFmpeg marked pictures as hidden by an edit list."""


def read_scanned(source: Source, stream: Stream, audio_stream: AudioStream | None) -> Read:
    """Read packets of *stream* and *audio_stream* as far as the window needs."""
    if source.request.window.kind is WindowKind.TAIL:
        scan = _scan_tail(source, stream, audio_stream)
    else:
        scan = _scan_head(source, stream, audio_stream)
    picture = scan.picture
    lossy = bool(picture.flagged) and damage.counts_packets(source)
    left_out = _leave_out_torn_end(source, stream, scan) if scan.at_end else 0
    table = _table(scan, stream, pauses=source.container.format.name in _PAUSING)
    missing = damage.missing(source, table, _flagged(picture))
    whole = scan.at_start and scan.at_end
    end = max(picture.pts, default=0) + table.last_duration
    duration_s = table.since_origin_s(end) if scan.at_end and picture.pts else None
    seen_s = (end - min(picture.pts, default=0)) * table.time_base
    if scan.at_end and picture.pts:
        _check_declared(source, scan, audio_stream, end * table.time_base)
    return Read(
        table=table,
        decode_table=_decode_table(scan, table)
        if source.container.format.name in DECODE_TIMES
        else None,
        edit=EditShape.COMPLEX if scan.hidden or _has_odd_edits(source) else EditShape.NONE,
        frames=len(picture.pts) if whole else None,
        duration_s=duration_s,
        media_duration_s=duration_s,
        bit_rate_bps=round(8 * sum(picture.sizes) / seen_s) if seen_s > 0 else None,
        has_b_frames=any(a > b for a, b in pairwise(picture.pts)),
        audio=_audio(scan, source, audio_stream, table) if audio_stream is not None else None,
        readable_frames=len(table.pts) - missing if missing else None,
        left_out=left_out,
        lossy=lossy,
        uniform=len(scan.parameter_sets) <= 1,
        bytes_read=sum(picture.sizes) + sum(scan.sound.sizes),
    )


def _leave_out_torn_end(source: Source, stream: Stream, scan: _Scan) -> int:
    """Forget the picture that a recording was broken off in; how many pictures that costs."""
    picture, last = scan.picture, len(scan.picture.pts) - 1
    flagged = last in picture.flagged or damage.ends_in_block(source, picture.sizes)
    if not damage.breaks_off(source, scan.last_gop, flagged=flagged):
        return 0
    context = decoder_of(stream)
    # Matched by their order, those that come out after the torn one would be taken for it.
    depth = 0
    by_order = not picture.exact or source.container.format.name in DECODE_TIMES
    if by_order and isinstance(context, VideoCodecContext):
        depth = context.reorder_depth
    if last <= depth:
        picture.flagged.append(last)
        return 0
    picture.drop_last(1 + depth)
    picture.flagged = [n for n in picture.flagged if n <= last - damage.FLAG_LAG]
    return 1 + depth


def _flagged(picture: Seen) -> list[int]:
    """As positions in the table, which begins with a key picture."""
    start = picture.keys[0] if picture.keys else 0
    return [n - start for n in picture.flagged if n >= start]


def _check_declared(
    source: Source, scan: _Scan, audio_stream: AudioStream | None, end_s: Fraction
) -> None:
    sound, tick = scan.sound, scan.sound_tick or Fraction(0)
    sound_end_s = sound.end() * tick
    declared.check_length(source.container, max(end_s, sound_end_s))
    if audio_stream is not None:
        declared.check_sound_length(audio_stream, sound_end_s, sound.usual_duration() * tick)


def _has_odd_edits(source: Source) -> bool:
    return source.movie is not None and not source.movie.has_simple_edits


def _table(scan: _Scan, stream: Stream, *, pauses: bool) -> PictureTable:
    picture = scan.picture
    start = picture.keys[0] if picture.keys else 0
    return PictureTable(
        time_base=tick_s(stream),
        pts=tuple(picture.pts[start:]),
        sizes=tuple(picture.sizes[start:]),
        sync=tuple(
            Sync(index=key - start, kind=kind)
            for key, kind in zip(picture.keys, picture.kinds, strict=True)
        ),
        at_start=scan.at_start and start == 0,
        at_end=scan.at_end,
        last_duration=_stay(picture) if pauses else picture.usual_duration(),
        origin_pts=scan.origin or 0,
        pauses=pauses and scan.at_end,
        exact_pts=picture.exact,
    )


def _decode_table(scan: _Scan, table: PictureTable) -> PictureTable:
    """*table* with the times that the container stores."""
    dts = tuple(scan.picture.dts[-len(table.pts) :])
    return replace(table, pts=dts, origin_pts=table.origin_pts - scan.ahead, exact_pts=False)


def _stay(picture: Seen) -> int:
    """How long the last picture says it stays."""
    return picture.durations[-1] if picture.durations else 0


def _packets(source: Source, streams: list[Stream]) -> Iterator[Packet[Stream]]:
    one_time = source.container.format.name in DECODE_TIMES
    for packet in demuxed(source.container, streams):
        if not packet.size:
            continue  # a flush packet; packets without dts can be key pictures (PyAV #1917)
        if one_time and packet.dts is None:
            continue  # the rest of a picture in ASF that FFmpeg's parser tears apart (8.1.2)
        yield packet


def _streams(stream: Stream, audio_stream: AudioStream | None) -> list[Stream]:
    return [stream] if audio_stream is None else [stream, audio_stream]


def _scan_head(source: Source, stream: Stream, audio_stream: AudioStream | None) -> _Scan:
    window = source.request.window
    wanted_s = window.start_s + source.request.cap_s + LOOK_AHEAD_S
    scan = _Scan()
    passed = quiet = 0
    for packet in _packets(source, _streams(stream, audio_stream)):
        if packet.stream_index == stream.index:
            _take_picture(source, scan, packet)
            passed += _is_past(scan, stream, wanted_s)
            scan.picture.keep_last(4 * MAX_PICTURES)
        else:
            _take_sound(source, scan, packet)
            quiet += passed >= REORDER_SLACK
        if passed >= REORDER_SLACK and (
            audio_stream is None
            or quiet > _QUIET_PACKETS
            or _sound_is_past(scan, stream, audio_stream, wanted_s)
        ):
            break
    else:
        scan.at_end = True
    _trim_to_window(scan, stream, source)
    return scan


def _take_picture(source: Source, scan: _Scan, packet: Packet[Stream]) -> None:
    if packet.is_discard:
        scan.hidden = True
        return
    if not scan.picture.keys and not packet.is_keyframe:
        return  # nothing before the first key picture can be decoded
    _watch_clock(source, scan, packet)
    context = decoder_of(packet.stream)
    if context is not None and context.name == "vp8" and not bytes(packet)[0] >> 4 & 1:
        return  # an alternate reference picture is never shown (RFC 6386, 9.1)
    if not scan.picture.pts and scan.at_start and packet.pts is not None:
        scan.ahead = packet.pts - (packet.pts if packet.dts is None else packet.dts)
    scan.picture.add(packet)
    scan.last_gop.add(packet)
    if packet.is_keyframe and context is not None:
        scan.parameter_sets |= nal.sequences(*coded(packet, context))
    if len(scan.picture.pts) <= REORDER_SLACK and scan.at_start:
        # Leading pictures of the first key picture are not decodable: its own time is zero.
        first = scan.picture.pts[scan.picture.keys[0]]
        scan.origin = first


def _watch_clock(source: Source, scan: _Scan, packet: Packet[Stream]) -> None:
    if packet.dts is not None:
        now_s = packet.dts * tick_s(packet.stream)
        damage.check_clock(source, scan.clocks_s.get(packet.stream_index, now_s), now_s)
        scan.clocks_s[packet.stream_index] = now_s


def _take_sound(source: Source, scan: _Scan, packet: Packet[Stream]) -> None:
    _watch_clock(source, scan, packet)
    stamp = scan.sound.add(packet)
    scan.sound_tick = tick_s(packet.stream)
    if scan.first_sound is None:
        scan.first_sound = stamp


def _is_past(scan: _Scan, stream: Stream, wanted_s: Fraction) -> bool:
    if scan.origin is None or not scan.picture.pts:
        return False
    return (scan.picture.pts[-1] - scan.origin) * tick_s(stream) > wanted_s


def _sound_is_past(scan: _Scan, stream: Stream, audio: Stream, wanted_s: Fraction) -> bool:
    if not scan.sound.pts or scan.origin is None:
        return False
    origin_s = scan.origin * tick_s(stream)
    return scan.sound.pts[-1] * tick_s(audio) - origin_s > wanted_s


def _trim_to_window(scan: _Scan, stream: Stream, source: Source) -> None:
    """Keep the pictures around the window of a span that starts late."""
    window = source.request.window
    if not window.start_s or scan.origin is None:
        return
    start = scan.origin + int(window.start_s / tick_s(stream))
    first = next(
        (key for key in reversed(scan.picture.keys) if scan.picture.pts[key] <= start), None
    )
    if first:
        scan.picture.keep_last(len(scan.picture.pts) - first)
        scan.at_start = False


def _scan_tail(source: Source, stream: Stream, audio_stream: AudioStream | None) -> _Scan:
    start = _Scan()
    for packet in _packets(source, [stream]):
        _take_picture(source, start, packet)
        if len(start.picture.pts) > REORDER_SLACK:
            break
    first_sound = None
    if audio_stream is not None:
        rewind(source.container)
        first_sound = next((p.pts for p in _packets(source, [audio_stream])), None)
    scan = _seek_tail(source, stream, audio_stream, start) or _scan_all(
        source, stream, audio_stream, start
    )
    scan.first_sound = first_sound
    scan.at_end = True
    return scan


def _seek_tail(
    source: Source, stream: Stream, audio_stream: AudioStream | None, start: _Scan
) -> _Scan | None:
    """Read from a seek point before the tail; ``None`` where seeking did not land before it."""
    duration = source.container.duration
    if not duration or start.origin is None:
        return None
    length_s = Fraction(duration, av.time_base)
    target_s = length_s - source.request.cap_s - _SEEK_MARGIN_S
    if target_s <= 0:
        return None
    first = source.container.start_time or 0
    try:
        source.container.seek(first + int(target_s * av.time_base), backward=True)
    except av.FFmpegError:
        return None
    scan = _Scan(origin=start.origin, ahead=start.ahead, at_start=False)
    _read_on(scan, source, stream, audio_stream)
    if not scan.picture.keys:
        return None
    pts = scan.picture.pts
    covered_s = (max(pts) - pts[scan.picture.keys[0]]) * tick_s(stream)
    return scan if covered_s >= source.request.cap_s else None


def _scan_all(
    source: Source, stream: Stream, audio_stream: AudioStream | None, start: _Scan
) -> _Scan:
    rewind(source.container)
    scan = _Scan(origin=start.origin, ahead=start.ahead, at_start=False)
    dropped = _read_on(scan, source, stream, audio_stream)
    scan.at_start = not dropped
    return scan


def _read_on(scan: _Scan, source: Source, stream: Stream, audio_stream: AudioStream | None) -> bool:
    """Read to the end, keeping the last pictures; whether any were forgotten."""
    dropped = False
    for packet in _packets(source, _streams(stream, audio_stream)):
        seen = scan.picture if packet.stream_index == stream.index else scan.sound
        if seen is scan.picture:
            _take_picture(source, scan, packet)
        else:
            _take_sound(source, scan, packet)
        if len(seen.pts) > 2 * MAX_PICTURES:
            seen.keep_last(MAX_PICTURES)
            dropped = True
    return dropped


def _audio(
    scan: _Scan, source: Source, stream: AudioStream, table: PictureTable
) -> AudioTrack | None:
    sound = scan.sound
    if not sound.pts or scan.first_sound is None:
        return None
    context = sound_context(stream)
    tick = tick_s(stream)
    one_time = source.container.format.name in DECODE_TIMES
    offset_s = scan.ahead * table.time_base if one_time else Fraction(0)
    origin_s = table.origin_pts * table.time_base
    usual, end = sound.usual_duration(), sound.end()
    length_s = (end - scan.first_sound) * tick
    window_s = (end - sound.pts[0]) * tick
    rate = (context.sample_rate if context else None) or None
    samples = _frame_samples(sound, tick, context)
    heard = bisect_right(sound.pts, (_last_s(source) + origin_s - offset_s) / tick)
    layout = layout_of(context) if context else None
    return AudioTrack(
        stream=stream.index,
        codec=context.codec.canonical_name if context else "unknown",
        profile=context.profile if context else None,
        decodable=source.decodes(stream),
        channels=layout.nb_channels if layout else None,
        channel_layout=layout.name if layout else None,
        sample_rate_hz=rate,
        bit_rate_bps=round(8 * sum(sound.sizes) / window_s) if window_s > 0 else None,
        time_base=tick,
        offset_s=offset_s,
        start_s=scan.first_sound * tick + offset_s - origin_s,
        priming_s=Fraction(0),
        frame_samples=samples,
        duration_s=length_s if scan.at_end else None,
        media_duration_s=length_s if scan.at_end else None,
        gap_s=_drift_s(sound.pts[:heard], tick, Fraction(samples, rate))
        if samples and rate
        else _largest_hole_s(sound, tick, heard),
        bytes_per_s=float(sum(sound.sizes) / window_s) if window_s > 0 else None,
        edit=EditShape.COMPLEX if scan.hidden else EditShape.NONE,
        spans=spans(
            sound.pts, [length or usual for length in sound.durations], tick, offset_s - origin_s
        ),
    )


def _last_s(source: Source) -> Fraction | float:
    """Where the window ends at the latest: what sound does behind it matters to nobody."""
    window = source.request.window
    tail = window.kind is WindowKind.TAIL
    return math.inf if tail else window.start_s + source.request.cap_s


def _frame_samples(sound: Seen, tick: Fraction, context: AudioCodecContext | None) -> int | None:
    """As `tables.frame_samples`; that packets say one length counts, the last one apart."""
    said = set(sound.durations[:-1])
    return frame_samples(said.pop() if len(said) == 1 else 0, tick, context)


def _largest_hole_s(sound: Seen, tick: Fraction, heard: int) -> Fraction:
    """For packets that differ in length (Vorbis) and say it, rounded: holes do not add up.

    One that does not say it (ALAC in Matroska) is as long as most.
    """
    usual = sound.usual_duration()
    ends = [pts + (length or usual) for pts, length in zip(sound.pts, sound.durations, strict=True)]
    holes = [
        start - end for start, end in zip(sound.pts[1:heard], ends, strict=False) if start > end
    ]
    return max(holes, default=0) * tick


def _drift_s(starts: list[int], tick: Fraction, frame_s: Fraction) -> Fraction:
    """How far packets stray from following each other without a hole."""
    if len(starts) < 2:  # noqa: PLR2004
        return Fraction(0)
    return max(abs((pts - starts[0]) * tick - n * frame_s) for n, pts in enumerate(starts))
