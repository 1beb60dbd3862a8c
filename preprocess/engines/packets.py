"""Rewrap and cut: coded pictures copied as they are, time stamps written anew on their grid."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from av.bitstream import BitStreamFilterContext

from preprocess.engines import mp4
from preprocess.engines.failures import PlanMismatch
from preprocess.engines.sound import Clock, SoundCopier, SoundEncoder, sound_track
from preprocess.job import Opening, Outcome
from preprocess.native import open_input, seek_before, video_stream
from preprocess.probe import nal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

    from preprocess.plan import ClipPlan, Slice

_TAGS = {"hevc": "hvc1", "h264": "avc1"}
"""Sample entries with the parameter sets in the index; QuickTime plays no others."""


def copy_packets(
    fd: int,
    opening: Opening,
    plan: ClipPlan,
    path: str,
    *,
    audio_offset_s: Fraction,
    progress: Callable[[float], None],
) -> Outcome:
    """Write the slice of *plan* to *path*.

    Raises:
        PlanMismatch: a packet of the slice is not where the index said.
    """
    assert plan.slice is not None  # noqa: S101 - only copied routes come here
    with open_input(fd, opening) as source, mp4.open_output(path) as output:
        stream = video_stream(source, plan.video_stream)
        clock = Clock(
            offset_s=audio_offset_s,
            start_s=plan.source_start_s,
            duration_s=plan.expected.duration_s,
            cap_s=plan.expected.max_duration_s,
        )
        pictures = _PictureCopier(stream, output, plan, plan.slice)
        sound = sound_track(plan, source, output, clock)
        if plan.start_s > 0:
            lead_s = sound.lead_s if sound is not None else Fraction(0)
            first = plan.slice.first_pts
            seek_before(source, stream, first, opening.demuxer, lead_s=lead_s)
        _copy(source, output, pictures, sound, progress)
    mp4.settle_durations(path)
    return Outcome(
        frames=len(pictures.digests),
        picture_digests=tuple(pictures.digests),
        sound_digests=tuple(sound.digests) if sound is not None else (),
    )


def _copy(
    source: InputContainer,
    output: OutputContainer,
    pictures: _PictureCopier,
    sound: SoundCopier | SoundEncoder | None,
    progress: Callable[[float], None],
) -> None:
    wanted = [pictures.stream] if sound is None else [pictures.stream, sound.stream]
    for packet in source.demux(wanted):
        if packet.stream is pictures.stream:
            written = pictures.feed(packet)
        else:
            assert sound is not None  # noqa: S101 - only then is its stream demuxed
            written = sound.feed(packet)
        for ready in written:
            output.mux(ready)
        progress(pictures.share)
        if pictures.done and (sound is None or sound.done):
            break
    for ready in pictures.finish():
        output.mux(ready)
    if sound is not None:
        for ready in sound.finish():
            output.mux(ready)


class _PictureCopier:
    """Copies the pictures of a slice and proves that they are the ones that were planned."""

    def __init__(
        self, stream: VideoStream, output: OutputContainer, plan: ClipPlan, piece: Slice
    ) -> None:
        self.stream = stream
        self.digests: list[str] = []
        self._order = piece.pts
        rank = {pts: n for n, pts in enumerate(sorted(piece.pts))}
        self._ranks = [rank[pts] for pts in piece.pts]
        self._delay = max(n - r for n, r in enumerate(self._ranks))
        self._codec = stream.codec_context.codec.canonical_name
        self._prefix = nal.length_size(self._codec, stream.codec_context.extradata)
        extradata = stream.codec_context.extradata
        self._sequences = nal.stored_sequences(self._codec, extradata)
        rate = plan.expected.frame_rate
        self._target = output.add_stream_from_template(stream)
        self._target.metadata.clear()
        # Kept here: the muxer gives the stream another time base once its header is written.
        self._tick = mp4.track_time_base(rate)
        self._target.time_base = self._tick
        self._target.codec_context.codec_tag = _TAGS[self._codec]
        self._step = int(1 / (rate * self._tick))
        self._filter = (
            _rate_filter(self._codec, rate, stream, self._target) if plan.retimed else None
        )

    @property
    def done(self) -> bool:
        """All pictures of the slice are written."""
        return len(self.digests) == len(self._order)

    @property
    def share(self) -> float:
        """Part of the work that is done, 0 to 1."""
        return len(self.digests) / len(self._order)

    def feed(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Take one source packet; yield what is to be written."""
        if not packet.size or self.done:
            return
        n = len(self.digests)
        first = self._order[0]
        if n == 0 and packet.pts != first:
            return
        if packet.pts != self._order[n]:
            if packet.pts is not None and packet.pts < first:
                return  # a leading picture of the first one, left out
            msg = f"picture {n} has time stamp {packet.pts}, the index says {self._order[n]}"
            raise PlanMismatch(msg)
        data = bytes(packet)
        self._sequences |= nal.sequences(self._codec, data, self._prefix)
        if len(self._sequences) > 1:
            msg = f"from picture {n} on the pictures have another size or format"
            raise PlanMismatch(msg)
        self.digests.append(nal.picture_digest(self._codec, data, self._prefix))
        packet.time_base = self._tick
        packet.pts = self._ranks[n] * self._step
        packet.dts = (n - self._delay) * self._step
        packet.duration = self._step
        if self._filter is None:
            packet.stream = self._target
            yield packet
            return
        yield from self._filtered(packet)

    def finish(self) -> Iterator[Packet[Stream]]:
        """Let go of what a bitstream filter holds back; all pictures must have come."""
        if not self.done:
            msg = f"{len(self.digests)} of {len(self._order)} pictures were found"
            raise PlanMismatch(msg)
        if self._filter is not None:
            yield from self._filtered(None)

    def _filtered(self, packet: Packet[Stream] | None) -> Iterator[Packet[Stream]]:
        assert self._filter is not None  # noqa: S101 - both callers have looked
        for ready in self._filter.filter(packet):
            ready.stream = self._target
            yield ready


def _rate_filter(
    codec: str, rate: Fraction, stream: VideoStream, target: VideoStream
) -> BitStreamFilterContext:
    """Writes *rate* into the parameter sets, so that stream and container agree.

    Given the output stream too: without it the new extradata is lost and the file breaks (PyAV
    18.1.0).
    """
    # H.264 counts fields: its tick is half a picture (ITU-T H.264, E.2.1).
    ticks = 2 * rate if codec == "h264" else rate
    name = f"{codec}_metadata=tick_rate={ticks.numerator}/{ticks.denominator}"
    return BitStreamFilterContext(name, stream, target)
