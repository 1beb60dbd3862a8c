"""Encode: one decode, filter, encode pass, each in its own thread, joined by short queues.

PyAV releases the interpreter lock inside FFmpeg, so the three stages overlap.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.packet import Packet
from av.stream import Stream

from preprocess.engines import filters, mp4
from preprocess.engines.failures import SourceDamaged
from preprocess.engines.sound import Clock, SoundCopier, SoundEncoder, sound_track
from preprocess.engines.turns import Turns
from preprocess.filtergraph import skips_deblocking
from preprocess.job import Animation, Opening, Outcome
from preprocess.native import (
    demuxed,
    open_input,
    picture_decoder,
    seek_before,
    video_stream,
)
from preprocess.plan import ClipPlan, ShortAction, VideoEncoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.container import InputContainer, OutputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_DECODED_AHEAD = 3
"""Full-size pictures waiting for the filter: 12 MB each at 4K."""
_FILTERED_AHEAD = 6
_BT709, _LIMITED = 1, 1  # ITU-T H.273 code points as FFmpeg numbers them


@dataclass(frozen=True, slots=True)
class _Sound:
    packet: Packet[Stream]


@dataclass(frozen=True, slots=True)
class _Picture:
    frame: av.VideoFrame
    times: int
    """How often it is written."""


class _Pipe:
    """A bounded queue that ends, and that a failure on either side wakes up."""

    def __init__(self, size: int, stopped: threading.Event) -> None:
        self._queue: queue.Queue[object] = queue.Queue(size)
        self._stopped = stopped

    def put(self, item: object) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._queue.put(item, timeout=0.2)
                return
        raise _Stopped

    def __iter__(self) -> Iterator[object]:
        while True:
            try:
                item = self._queue.get(timeout=0.2)
            except queue.Empty:
                if self._stopped.is_set():
                    raise _Stopped from None
                continue
            if item is None:
                return
            yield item


class _Nowhere(_Pipe):
    """Takes everything and keeps nothing."""

    def __init__(self) -> None:
        super().__init__(0, threading.Event())

    def put(self, _item: object) -> None:
        return


class _Stopped(Exception):  # noqa: N818 - not an error, the other side's failure is
    """Another stage has failed; its error is the one to report."""


def encode_frames(
    fd: int,
    opening: Opening | Animation,
    plan: ClipPlan,
    path: str,
    *,
    audio_offset_s: Fraction,
    threads: int,
    progress: Callable[[float], None],
) -> Outcome:
    """Write the pictures of *plan* to *path* in one pass, with at most *threads* a stage.

    Raises:
        SourceDamaged: pictures inside the window could not be decoded.
    """
    encoding = plan.encoding
    assert encoding is not None  # noqa: S101 - only the encode route comes here
    if isinstance(opening, Animation):
        with mp4.open_output(path) as output:
            target = _add_picture_track(output, encoding, threads)
            still = _AnimationReader(fd, opening, plan)
            frames = _run(still, encoding, target, output, plan, threads, progress)
        mp4.settle_durations(path)
        return Outcome(frames=frames)
    with open_input(fd, opening) as source, mp4.open_output(path) as output:
        stream = video_stream(source, plan.video_stream)
        target = _add_picture_track(output, encoding, threads)
        sound = sound_track(plan, source, output, _clock(plan, audio_offset_s))
        reader = _Reader(source, stream, sound, plan, opening, threads)
        frames = _run(reader, encoding, target, output, plan, threads, progress)
        if sound is not None:
            for packet in sound.finish():
                output.mux(packet)
    mp4.settle_durations(path)
    return Outcome(frames=frames, sound_digests=tuple(sound.digests) if sound else ())


def check_pictures(fd: int, opening: Opening, plan: ClipPlan, threads: int) -> None:
    """Decode the pictures of *plan*; nothing is written.

    Raises:
        SourceDamaged: as `encode_frames`.
    """
    with open_input(fd, opening) as source:
        stream = video_stream(source, plan.video_stream)
        _Reader(source, stream, None, plan, opening, threads).run(_Nowhere(), _Nowhere())


def check_sound(
    fd: int, opening: Opening, plan: ClipPlan, audio_offset_s: Fraction
) -> tuple[str, ...]:
    """Decode the sound of *plan*; digests of the packets that are copied. Nothing is written.

    Raises:
        SoundLost, SoundDamaged, SoundUneven: as `encode_frames`.
    """
    with open_input(fd, opening) as source, av.open(os.devnull, "w", format="mp4") as nowhere:
        stream = video_stream(source, plan.video_stream)
        sound = sound_track(plan, source, nowhere, _clock(plan, audio_offset_s))
        if sound is None:
            return ()
        _Listener(source, stream, sound, plan, opening, threads=1).run(_Nowhere(), _Nowhere())
        for _packet in sound.finish():
            pass
        return tuple(sound.digests)


def _clock(plan: ClipPlan, audio_offset_s: Fraction) -> Clock:
    return Clock(
        offset_s=audio_offset_s,
        start_s=plan.source_start_s,
        duration_s=plan.expected.duration_s,
        cap_s=plan.expected.max_duration_s,
    )


def _add_picture_track(
    output: OutputContainer, encoding: VideoEncoding, threads: int
) -> VideoStream:
    stream = output.add_stream("libx264", rate=encoding.frame_rate)
    context = stream.codec_context
    context.width, context.height = encoding.canvas.width, encoding.canvas.height
    context.pix_fmt = "yuv420p"
    context.time_base = 1 / encoding.frame_rate
    context.thread_count = threads
    # PyAV's default, threads within a frame, means sliced threads to x264: a fifth slower here,
    # and 3 % more bytes for the same quality (PyAV 18.1.0, 1080p to 720p on 2 cores).
    context.thread_type = "FRAME"
    context.gop_size = encoding.keyframe_interval
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _LIMITED
    context.sample_aspect_ratio = Fraction(1)
    context.options = {
        "preset": encoding.preset,
        "crf": f"{encoding.crf:g}",
        "profile": "high",
        "level": encoding.level,
        "maxrate": str(encoding.max_rate_bps),
        "bufsize": str(encoding.buffer_bits),
    }
    return stream


def _run(
    reader: _Reader | _AnimationReader,
    encoding: VideoEncoding,
    target: VideoStream,
    output: OutputContainer,
    plan: ClipPlan,
    threads: int,
    progress: Callable[[float], None],
) -> int:
    stopped = threading.Event()
    decoded, filtered = _Pipe(_DECODED_AHEAD, stopped), _Pipe(_FILTERED_AHEAD, stopped)
    failures: list[BaseException] = []

    def stage(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except _Stopped:
                return
            except BaseException as error:  # noqa: BLE001 - handed to the encoding thread below
                failures.append(error)
                stopped.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    stages = [
        stage(lambda: reader.run(decoded, filtered)),
        stage(lambda: _filter(decoded, filtered, encoding, threads)),
    ]
    try:
        written = _encode(filtered, target, output, plan, progress)
    except _Stopped:
        written = 0
    finally:
        stopped.set()
        for thread in stages:
            thread.join()
    if failures:
        raise failures[0]
    return written


class _Reader:
    """Demuxes and decodes the window, as often as the clip is repeated."""

    def __init__(
        self,
        source: InputContainer,
        stream: VideoStream,
        sound: SoundCopier | SoundEncoder | None,
        plan: ClipPlan,
        opening: Opening,
        threads: int,
    ) -> None:
        self._source = source
        self._stream = stream
        self._sound = sound
        self._plan = plan
        self._opening = opening
        self._slots = {pts: n for n, pts in enumerate(plan.source_pts)}
        encoding = plan.encoding
        assert encoding is not None  # noqa: S101 - as in `encode_frames`
        self._decoder = picture_decoder(stream, threads, alpha=encoding.flatten)
        if skips_deblocking(encoding):
            self._decoder.options = {**self._decoder.options, "skip_loop_filter": "all"}

    def run(self, decoded: _Pipe, filtered: _Pipe) -> None:
        """Send pictures to *decoded* and written sound to *filtered*; end both."""
        plan = self._plan
        encoding = plan.encoding
        assert encoding is not None  # noqa: S101 - as in `encode_frames`
        shown = sum(encoding.writes)
        passes = _passes(plan, shown)
        for number in range(passes):
            if passes > 1 and isinstance(self._sound, SoundEncoder):
                length_s = shown / encoding.frame_rate
                self._sound.start_pass(number * length_s, length_s)
            if number or self._must_seek():
                self._seek()
            self._one_pass(encoding.writes, decoded, filtered)
        decoded.put(None)

    def _must_seek(self) -> bool:
        return self._plan.start_s > 0

    def _turns(self) -> Turns:
        return Turns(self._source, self._plan.source_pts[0] if self._must_seek() else None)

    def _seek(self) -> None:
        lead_s = self._sound.lead_s if self._sound is not None else Fraction(0)
        first = self._plan.source_pts[0]
        seek_before(self._source, self._stream, first, self._opening.demuxer, lead_s=lead_s)
        self._decoder.flush_buffers()
        if isinstance(self._sound, SoundEncoder):
            self._sound.stream.codec_context.flush_buffers()

    def _one_pass(self, writes: tuple[int, ...], decoded: _Pipe, filtered: _Pipe) -> None:
        finder = _Finder(self._slots, None if self._plan.exact_pts else self._turns())
        wanted = [self._stream] if self._sound is None else [self._stream, self._sound.stream]
        for packet in demuxed(self._source, wanted):
            # Not packet.stream_index: a flush packet says 0 whatever its stream (PyAV 18.1.0).
            if packet.stream is self._stream:
                if not finder.complete:
                    finder.announce(packet)
                    for frame in _decoded(self._decoder, packet):
                        slot = finder.take(frame)
                        if slot is not None:
                            decoded.put(_Picture(frame, writes[slot]))
            elif self._sound is not None:
                for ready in self._sound.feed(packet):
                    filtered.put(_Sound(ready))
            if finder.complete and (self._sound is None or self._sound.done):
                break
        finder.check()


class _Listener(_Reader):
    """Reads the sound alone."""

    def _one_pass(self, _writes: tuple[int, ...], _decoded: _Pipe, filtered: _Pipe) -> None:
        assert self._sound is not None  # noqa: S101 - `check_sound` has looked
        for packet in demuxed(self._source, [self._sound.stream]):
            for ready in self._sound.feed(packet):
                filtered.put(_Sound(ready))
            if self._sound.done:
                break


def _passes(plan: ClipPlan, shown: int) -> int:
    """How often the source is shown, which gives *shown* pictures each time."""
    return -(-plan.expected.frames // shown) if plan.short is ShortAction.LOOP else 1


class _AnimationReader:
    """Decodes the window of an animated image, as often as it is repeated."""

    def __init__(self, fd: int, animation: Animation, plan: ClipPlan) -> None:
        self._fd = fd
        self._animation = animation
        self._plan = plan
        self._slots = {pts: n for n, pts in enumerate(plan.source_pts)}

    def run(self, decoded: _Pipe, _filtered: _Pipe) -> None:
        """Send pictures to *decoded*, and end it."""
        from preprocess.engines import animation  # noqa: PLC0415 - Pillow is for images only

        encoding = self._plan.encoding
        assert encoding is not None  # noqa: S101 - as in `encode_frames`
        for _ in range(_passes(self._plan, sum(encoding.writes))):
            finder = _Finder(self._slots, None)
            for frame in animation.pictures(self._fd, self._animation):
                slot = finder.take(frame)
                if slot is not None:
                    decoded.put(_Picture(frame, encoding.writes[slot]))
                if finder.complete:
                    break
            finder.check()
        decoded.put(None)


def _decoded(decoder: VideoCodecContext, packet: Packet[Stream]) -> list[av.VideoFrame]:
    try:
        return decoder.decode(packet)
    # By VP9 after a refused packet; by raw pictures that are too short.
    except (av.InvalidDataError, BlockingIOError, av.ArgumentError):
        return []  # the finder misses the picture and says so


class _Finder:
    """Matches decoded pictures with those the plan counts on."""

    def __init__(self, slots: dict[int, int], turns: Turns | None) -> None:
        self._slots = slots
        self._turns = turns
        self._next = 0
        self._damaged = 0

    @property
    def complete(self) -> bool:
        """All planned pictures have come."""
        return self._next == len(self._slots)

    def announce(self, packet: Packet[Stream]) -> None:
        """*packet* goes to the decoder next."""
        if self._turns is not None:
            self._turns.announce(packet)

    def take(self, frame: av.VideoFrame) -> int | None:
        """The slot of *frame*, or ``None`` if it lies outside the window."""
        if self.complete:
            return None
        slot = self._slot(frame)
        if slot is None or slot < self._next:
            return None
        if slot > self._next:
            self.check()
        self._damaged += frame.is_corrupt
        self._next = slot + 1
        return slot

    def _slot(self, frame: av.VideoFrame) -> int | None:
        if self._turns is not None:
            return self._next if self._turns.has_begun(frame) else None
        return None if frame.pts is None else self._slots.get(frame.pts)

    def check(self) -> None:
        """Every planned picture came whole, or the source is damaged."""
        whole = self._next - self._damaged
        if not self.complete or self._damaged:
            raise SourceDamaged(whole, len(self._slots), "pictures of the window can be decoded")


def _filter(decoded: _Pipe, filtered: _Pipe, encoding: VideoEncoding, threads: int) -> None:
    """Filter what is written. A graph may hold pictures back, but lets all through, in order."""
    graph = filters.Graph(encoding, threads)
    waiting: deque[int] = deque()

    def send(frames: Iterator[av.VideoFrame]) -> None:
        for frame in frames:
            filtered.put(_Picture(frame, waiting.popleft()))

    for item in decoded:
        assert isinstance(item, _Picture)  # noqa: S101 - the reader sends nothing else here
        # A deinterlacer looks at the neighbours, those that are left out too.
        if item.times or encoding.deinterlace:
            waiting.append(item.times)
            send(graph.filter(item.frame))
    send(graph.finish())
    filtered.put(None)


def _encode(
    filtered: _Pipe,
    target: VideoStream,
    output: OutputContainer,
    plan: ClipPlan,
    progress: Callable[[float], None],
) -> int:
    encoding, wanted = plan.encoding, plan.expected.frames
    assert encoding is not None  # noqa: S101 - as in `encode_frames`
    written = 0
    for item in filtered:
        if isinstance(item, _Sound):
            output.mux(item.packet)
            continue
        assert isinstance(item, _Picture)  # noqa: S101 - nothing else is sent
        for _ in range(min(item.times, wanted - written)):
            _write(target, output, item.frame, written, encoding)
            written += 1
        progress(written / wanted)
    output.mux(target.encode(None))
    return written


def _write(
    target: VideoStream,
    output: OutputContainer,
    frame: av.VideoFrame,
    number: int,
    encoding: VideoEncoding,
) -> None:
    frame.pts = number
    frame.time_base = 1 / encoding.frame_rate
    frame.pict_type = 0  # the source's picture types are not ours
    output.mux(target.encode(frame))
