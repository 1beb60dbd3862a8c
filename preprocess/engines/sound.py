"""Sound: packets copied into the window, or decoded, placed by time and encoded once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from preprocess.engines.failures import PlanMismatch, SoundLost
from preprocess.native import arm_decoder, audio_stream, tick_s
from preprocess.plan import AudioAction, ClipPlan
from preprocess.probe import nal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

AAC_FRAME = 1024
_PRIMING = 1024
"""FFmpeg's AAC encoder starts with one packet that holds nothing yet."""
_CONTIGUOUS_S = Fraction(1, 50)
"""Sound frames nearer than this follow each other; time stamps are often rounded to 1 ms."""
_BYTES_PER_SAMPLE = 4  # fltp


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Where the sound of a source stands against the written picture."""

    offset_s: Fraction
    """Added to a raw sound time stamp in seconds, it gives picture time."""
    start_s: Fraction
    """Picture time of the first written picture."""
    duration_s: Fraction
    """Length of the written picture."""
    cap_s: Fraction
    """No track may be longer."""


def sound_track(
    plan: ClipPlan, source: InputContainer, output: OutputContainer, clock: Clock
) -> SoundCopier | SoundEncoder | None:
    """The sound of *plan*, ready to take packets; ``None`` where there is none."""
    if plan.audio.action is AudioAction.DROP or plan.audio.stream is None:
        return None
    stream = audio_stream(source, plan.audio.stream)
    if plan.audio.action is AudioAction.COPY:
        return SoundCopier(stream, output, clock)
    return SoundEncoder(plan, stream, output, clock)


class SoundCopier:
    """Copies the packets that are heard during the picture."""

    def __init__(self, stream: AudioStream, output: OutputContainer, clock: Clock) -> None:
        self.stream = stream
        self.done = False
        self.digests: list[str] = []
        self._clock = clock
        self._target = output.add_stream_from_template(stream)
        self._target.metadata.clear()
        self._rate = stream.codec_context.sample_rate
        frame = stream.codec_context.frame_size or AAC_FRAME
        self._frame_s = Fraction(frame, self._rate)
        self._frame = frame
        self._first_s: Fraction | None = None
        self._before: Packet[Stream] | None = None
        self.lead_s = self._frame_s
        """Sound is wanted from this long before the first picture."""

    def feed(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Take one source packet; yield what is to be written."""
        if not packet.size or packet.pts is None:
            return
        time_s = self._time_s(packet)
        if self._first_s is None:
            if time_s + self._frame_s <= self._frame_s / 8:
                self._before = packet
                return
            yield from self._begin(packet)
        elif not self._is_over(time_s):
            yield self._written(packet)

    def _begin(self, first: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Start with *first*, after the packet before it: AAC's frames overlap by half.

        What comes before the picture stays hidden by one edit. A late start is moved, by less than
        anybody notices (`rules.sound.is_late`): a delay would need a second edit.
        """
        before = self._before
        self._first_s = min(self._time_s(first), Fraction(0))
        if before is not None and self._time_s(first) - self._time_s(before) < 2 * self._frame_s:
            self._first_s -= self._frame_s
            yield self._written(before)
        if not self._is_over(self._time_s(first)):
            yield self._written(first)

    def _time_s(self, packet: Packet[Stream]) -> Fraction:
        """Picture time of *packet*, which has a time stamp."""
        raw_s = (packet.pts or 0) * tick_s(self.stream)
        return raw_s + self._clock.offset_s - self._clock.start_s

    def _is_over(self, time_s: Fraction) -> bool:
        """Whether a packet at *time_s* is one too many: for the picture, or for the cap."""
        stored_s = (len(self.digests) + 1) * self._frame_s
        self.done = time_s >= self._clock.duration_s or stored_s > self._clock.cap_s
        return self.done

    def _written(self, packet: Packet[Stream]) -> Packet[Stream]:
        """Put *packet* behind those that are written already."""
        assert self._first_s is not None  # noqa: S101 - `_begin` has set it
        expected_s = self._first_s + len(self.digests) * self._frame_s
        time_s = self._time_s(packet)
        if abs(time_s - expected_s) > 2 * self._frame_s:
            msg = f"a hole in the sound at {float(time_s):.3f} s"
            raise PlanMismatch(msg)
        self.digests.append(nal.sound_digest(bytes(packet)))
        tick = Fraction(1, self._rate)
        packet.time_base = tick
        packet.pts = packet.dts = (
            round(self._first_s / tick) + (len(self.digests) - 1) * self._frame
        )
        packet.duration = self._frame
        packet.stream = self._target
        return packet

    def finish(self) -> Iterator[Packet[Stream]]:
        """Nothing is held back.

        Raises:
            SoundLost: none of it falls into the window.
        """
        if not self.digests:
            raise SoundLost
        self.done = True
        return iter(())


class SoundEncoder:
    """Decodes, places every sample by its time, and encodes AAC once."""

    def __init__(
        self, plan: ClipPlan, stream: AudioStream, output: OutputContainer, clock: Clock
    ) -> None:
        self.stream = stream
        self.done = False
        self.digests: list[str] = []
        self._clock = clock
        self.lead_s = Fraction(stream.codec_context.frame_size or AAC_FRAME, stream.sample_rate)
        """Sound is wanted from this long before the first picture: decoders need a run-up."""
        arm_decoder(stream, 1)
        rate = plan.audio.sample_rate_hz or 48_000
        self._layout = "mono" if plan.audio.channels == 1 else "stereo"
        self._planes = 1 if self._layout == "mono" else 2
        self._rate = rate
        self._target = output.add_stream("aac", rate=rate, layout=self._layout)
        self._target.bit_rate = plan.audio.bit_rate_bps or 128_000
        self._target.codec_context.thread_count = 1
        self._fifo = [bytearray() for _ in range(self._planes)]
        self._emitted = 0
        self._encoded = 0
        # Priming counts for readers that ignore edit lists, so it is inside the cap.
        packets = int(min(clock.cap_s, clock.duration_s + Fraction(AAC_FRAME, rate)) * rate)
        self._most = min(
            round(clock.duration_s * rate), packets // AAC_FRAME * AAC_FRAME - _PRIMING
        )
        self._until = self._most
        self._segment: _Segment | None = None
        self._pass_s = Fraction(0)
        self._untimed_s = Fraction(0)
        self._drop = 0

    def start_pass(self, offset_s: Fraction, length_s: Fraction) -> None:
        """The source is read again; its sound now starts *offset_s* later, and ends *length_s* on.

        Sound that outlasts the picture would push the beginning of the next pass away.
        """
        self._end_segment()
        self._pass_s = offset_s
        self._until = min(self._most, round((offset_s + length_s) * self._rate))

    def feed(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Take one source packet; yield what is to be written."""
        if self.done:
            return
        if packet.size and self._segment is None and packet.pts is not None:
            self._untimed_s = self._picture_time(packet.pts, tick_s(self.stream))
        for frame in _decoded(packet):
            if not frame.samples:
                continue
            if frame.pts is not None:
                self._place(frame, self._picture_time(frame.pts, Fraction(frame.time_base or 0)))
            else:  # some decoders (wmav2) give their last frame no time: it follows
                segment = self._segment
                self._place(frame, segment.end_s if segment else self._untimed_s)
        yield from self._encode_full()

    def finish(self) -> Iterator[Packet[Stream]]:
        """End the sound; yield the rest.

        Raises:
            SoundLost: nothing of it could be decoded inside the window.
        """
        self._end_segment()
        missing = -len(self._fifo[0]) % (AAC_FRAME * _BYTES_PER_SAMPLE)
        for plane in self._fifo:
            plane.extend(bytes(missing))
        yield from self._encode_full()
        if not self._encoded:
            raise SoundLost
        yield from self._target.encode(None)
        self.done = True

    def _picture_time(self, pts: int, time_base: Fraction) -> Fraction:
        raw_s = pts * time_base
        return raw_s + self._clock.offset_s - self._clock.start_s + self._pass_s

    def _place(self, frame: av.AudioFrame, time_s: Fraction) -> None:
        segment = self._segment
        if segment is None or not segment.continues(frame, time_s):
            self._end_segment()
            segment = self._segment = _Segment(frame, time_s, self._layout, self._rate)
            self._skip_to(round(time_s * self._rate))
        segment.end_s = time_s + Fraction(frame.samples, frame.sample_rate)
        for piece in segment.resample(frame):
            self._take(piece)

    def _end_segment(self) -> None:
        if self._segment is not None:
            for piece in self._segment.resample(None):
                self._take(piece)
            self._segment = None

    def _skip_to(self, position: int) -> None:
        """Silence up to *position*; samples before what is already there will be dropped."""
        gap = min(position, self._most) - self._emitted
        if gap > 0:
            for plane in self._fifo:
                plane.extend(bytes(gap * _BYTES_PER_SAMPLE))
            self._emitted += gap
        self._drop = max(0, self._emitted - position)

    def _take(self, piece: av.AudioFrame) -> None:
        skipped = min(self._drop, piece.samples)
        self._drop -= skipped
        taken = min(piece.samples - skipped, self._until - self._emitted)
        if taken <= 0:
            self.done = self.done or self._emitted >= self._most
            return
        for plane, data in zip(self._fifo, piece.planes, strict=False):
            view = memoryview(data)
            start = skipped * _BYTES_PER_SAMPLE
            plane.extend(view[start : start + taken * _BYTES_PER_SAMPLE])
        self._emitted += taken

    def _encode_full(self) -> Iterator[Packet[Stream]]:
        size = AAC_FRAME * _BYTES_PER_SAMPLE
        while len(self._fifo[0]) >= size:
            frame = av.AudioFrame(format="fltp", layout=self._layout, samples=AAC_FRAME)
            frame.sample_rate = self._rate
            frame.pts = self._encoded
            frame.time_base = Fraction(1, self._rate)
            for plane, data in zip(frame.planes, self._fifo, strict=True):
                plane.update(bytes(data[:size]))
                del data[:size]
            self._encoded += AAC_FRAME
            yield from self._target.encode(frame)


def _decoded(packet: Packet[Stream]) -> list[av.AudioFrame]:
    try:
        return [frame for frame in packet.decode() if isinstance(frame, av.AudioFrame)]
    except av.InvalidDataError:
        return []  # a hole, filled with silence; all of it missing is `SoundLost`


class _Segment:
    """A run of sound without holes, resampled as one."""

    def __init__(self, frame: av.AudioFrame, time_s: Fraction, layout: str, rate: int) -> None:
        self._like = self._shape(frame)
        self.end_s = time_s
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)

    @staticmethod
    def _shape(frame: av.AudioFrame) -> tuple[str, str, int]:
        return frame.format.name, frame.layout.name, frame.sample_rate

    def continues(self, frame: av.AudioFrame, time_s: Fraction) -> bool:
        """Whether *frame* follows this run."""
        return self._like == self._shape(frame) and abs(time_s - self.end_s) <= _CONTIGUOUS_S

    def resample(self, frame: av.AudioFrame | None) -> list[av.AudioFrame]:
        """Resampled frames; ``None`` flushes."""
        if frame is not None:
            frame.pts = None  # placement is ours; the resampler would fill holes by itself
        return list(self._resampler.resample(frame))
