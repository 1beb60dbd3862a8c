"""Sound: packets copied into the window, or decoded, placed by time and encoded once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from preprocess.engines.account import Account
from preprocess.engines.failures import SoundUneven
from preprocess.engines.mixing import Segment
from preprocess.native import arm_decoder, audio_stream, decoded_sound, tick_s
from preprocess.plan import AudioAction, ClipPlan
from preprocess.probe import nal
from preprocess.rules.sound import UNNOTICED_S
from preprocess.soundgraph import AAC_FRAME, layout_name, most_samples
from preprocess.timing import seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

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

    def time_s(self, pts: int, tick: Fraction) -> Fraction:
        """Time of a raw sound time stamp, from the first written picture."""
        return pts * tick + self.offset_s - self.start_s


def sound_track(
    plan: ClipPlan, source: InputContainer, output: OutputContainer, clock: Clock
) -> SoundCopier | SoundEncoder | None:
    """The sound of *plan*, ready to take packets; ``None`` where there is none."""
    if plan.audio.action is AudioAction.DROP or plan.audio.stream is None:
        return None
    stream = audio_stream(source, plan.audio.stream)
    arm_decoder(stream, 1)
    if plan.audio.action is AudioAction.COPY:
        return SoundCopier(plan, stream, output, clock)
    return SoundEncoder(plan, stream, output, clock)


class SoundCopier:
    """Copies the packets that are heard during the picture, and decodes them to see that they are.

    Decoding is no check too many: 15 s of AAC take 7 ms.
    """

    def __init__(
        self, plan: ClipPlan, stream: AudioStream, output: OutputContainer, clock: Clock
    ) -> None:
        self.stream = stream
        self.done = False
        self.digests: list[str] = []
        self._clock = clock
        self._account = Account(plan.audio, clock.duration_s)
        self._kind: tuple[int, str] | None = None
        self._target = output.add_stream_from_template(stream)
        self._target.metadata.clear()
        self._rate = plan.audio.sample_rate_hz or stream.codec_context.sample_rate
        self._frame = plan.audio.frame_samples or AAC_FRAME
        self._frame_s = Fraction(self._frame, self._rate)
        self._first_s: Fraction | None = None
        self._before: Packet[Stream] | None = None
        self.lead_s = self._frame_s
        """Sound is wanted from this long before the first picture."""

    def feed(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Take one source packet; yield what is to be written.

        Raises:
            SoundUneven: the packets do not follow each other, or change their kind.
        """
        if not packet.size or self.done:
            return
        if packet.pts is None:
            msg = "a packet of sound without a time"
            raise SoundUneven(msg)
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
        before, time_s = self._before, self._time_s(first)
        if UNNOTICED_S < time_s < self._clock.duration_s:
            msg = f"the sound begins {seconds_text(time_s)} after the picture"
            raise SoundUneven(msg)
        self._first_s = min(time_s, Fraction(0))
        if before is not None and time_s - self._time_s(before) < 2 * self._frame_s:
            self._first_s -= self._frame_s
            yield self._written(before)
        if not self._is_over(time_s):
            yield self._written(first)

    def _time_s(self, packet: Packet[Stream]) -> Fraction:
        """Picture time of *packet*, which has a time stamp."""
        return self._clock.time_s(packet.pts or 0, tick_s(self.stream))

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
            msg = f"a hole in the sound at {seconds_text(time_s)}"
            raise SoundUneven(msg)
        self._listen(packet, time_s)
        self.digests.append(nal.sound_digest(bytes(packet)))
        tick = Fraction(1, self._rate)
        packet.time_base = tick
        packet.pts = packet.dts = (
            round(self._first_s / tick) + (len(self.digests) - 1) * self._frame
        )
        packet.duration = self._frame
        packet.stream = self._target
        return packet

    def _listen(self, packet: Packet[Stream], time_s: Fraction) -> None:
        """Decode *packet*: it has to hold what it promises, and sound of the same kind."""
        frames = decoded_sound(packet)
        if not frames and self._kind is not None:
            msg = f"a packet at {seconds_text(time_s)} cannot be decoded"
            raise SoundUneven(msg)
        for frame in frames:
            kind = (frame.sample_rate, frame.layout.name)
            if self._kind not in (None, kind):
                msg = f"the sound changes its rate or channels at {seconds_text(time_s)}"
                raise SoundUneven(msg)
            self._kind = kind
            self._account.get(time_s, Fraction(frame.samples, frame.sample_rate))

    def finish(self) -> Iterator[Packet[Stream]]:
        """Nothing is held back.

        Raises:
            SoundLost, SoundDamaged: none of the window's sound can be decoded, or not all of it.
        """
        self._account.settle()
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
        self._account = Account(plan.audio, clock.duration_s)
        self.lead_s = Fraction(stream.codec_context.frame_size or AAC_FRAME, stream.sample_rate)
        """Sound is wanted from this long before the first picture: decoders need a run-up."""
        rate = plan.audio.sample_rate_hz or 48_000
        self._layout = layout_name(plan.audio.channels)
        self._planes = 1 if self._layout == "mono" else 2
        self._rate = rate
        self._target = output.add_stream("aac", rate=rate, layout=self._layout)
        self._target.bit_rate = plan.audio.bit_rate_bps or 128_000
        self._target.codec_context.thread_count = 1
        self._fifo = [bytearray() for _ in range(self._planes)]
        self._emitted = 0
        self._encoded = 0
        self._most = most_samples(clock.duration_s, clock.cap_s, rate)
        self._until = self._most
        self._segment: Segment | None = None
        self._pass_s = Fraction(0)
        self._untimed_s = Fraction(0)
        self._drop = 0

    def start_pass(self, offset_s: Fraction, length_s: Fraction) -> None:
        """The source is read again; its sound now starts *offset_s* later, and ends *length_s* on.

        Sound that outlasts the picture would push the beginning of the next pass away.
        """
        self._end_segment()
        self._pass_s = offset_s
        self._account.narrow(offset_s, min(offset_s + length_s, self._clock.duration_s))
        self._until = min(self._most, round((offset_s + length_s) * self._rate))

    def feed(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Take one source packet; yield what is to be written."""
        if self.done:
            return
        if packet.size and self._segment is None and packet.pts is not None:
            self._untimed_s = self._picture_time(packet.pts, tick_s(self.stream))
        for frame in decoded_sound(packet):
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
            SoundLost, SoundDamaged: none of the window's sound can be decoded, or not all of it.
        """
        self._end_segment()
        self._account.settle()
        missing = -len(self._fifo[0]) % (AAC_FRAME * _BYTES_PER_SAMPLE)
        for plane in self._fifo:
            plane.extend(bytes(missing))
        yield from self._encode_full()
        yield from self._target.encode(None)
        self.done = True

    def _picture_time(self, pts: int, time_base: Fraction) -> Fraction:
        return self._clock.time_s(pts, time_base) + self._pass_s

    def _place(self, frame: av.AudioFrame, time_s: Fraction) -> None:
        segment = self._segment
        if segment is None or not segment.continues(frame, time_s):
            self._end_segment()
            segment = self._segment = Segment(frame, time_s, self._layout, self._rate)
            self._skip_to(round(time_s * self._rate))
        self._account.get(time_s, Fraction(frame.samples, frame.sample_rate))
        for piece in segment.convert(frame):
            self._take(piece)

    def _end_segment(self) -> None:
        if self._segment is not None:
            for piece in self._segment.finish():
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
