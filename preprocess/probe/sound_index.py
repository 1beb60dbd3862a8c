"""Sound around a window, by the index of an MP4 or MOV."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.facts import Span
from preprocess.probe.spans import laid_out, spans, spread_of, usual_of
from preprocess.soundgraph import HOLE_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.audio.codeccontext import AudioCodecContext
    from av.stream import Stream

    from preprocess.probe.bmff import Track


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundWindow:
    """The packets of a sound track around a window; times in media time, edits ignored."""

    tick_s: Fraction
    start: int
    """Of the first packet, in ticks."""
    runs: list[tuple[int, int]]
    """(count, ticks) of packets that last equally long, one after the other."""
    usual: int
    """Ticks that most packets last."""
    gap_s: Fraction
    """How far they stray from following each other."""
    length_s: Fraction
    bytes_per_s: Fraction | None
    readable: Fraction
    """Which part of them has its bytes inside the file, 0 to 1."""

    def spans(self, offset_s: Fraction, audible: Span) -> tuple[Span, ...]:
        """What the packets fill, *offset_s* later, as far as an edit list lets it be heard."""
        starts, lengths = laid_out(self.runs, self.start, self.usual, HOLE_S / self.tick_s)
        heard = (
            Span(start_s=max(s.start_s, audible.start_s), end_s=min(s.end_s, audible.end_s))
            for s in spans(starts, lengths, self.tick_s, offset_s)
        )
        return tuple(span for span in heard if span.start_s < span.end_s)


def read_window(
    track: Track, stream: Stream, bounds_s: Sequence[Fraction], size_bytes: int
) -> SoundWindow:
    """Read what the index says of the packets between two times; *track* has a time table."""
    deltas = track.deltas
    assert deltas is not None  # noqa: S101 - the caller has looked
    tick_s = Fraction(1, track.time_scale)
    first, last = (int(bound / tick_s) for bound in bounds_s)
    samples = min(track.samples, deltas.total)
    start = max(0, deltas.index_at(first) - 1)
    stop = min(samples, deltas.index_at(last) + 1)
    runs = deltas.runs(start, stop)
    # The last packet of a track is often shortened.
    inner = deltas.runs(start, min(stop, samples - 1))
    usual = usual_of(inner)
    length_s = sum(count * value for count, value in runs) * tick_s
    size = sum(track.sample_sizes(start, stop))
    return SoundWindow(
        tick_s=tick_s,
        start=deltas.sum_before(start),
        runs=runs,
        usual=usual,
        gap_s=spread_of(inner, usual) * tick_s,
        length_s=length_s,
        bytes_per_s=size / length_s if length_s else None,
        readable=_readable(stream, range(start, stop), range(first, last + 1), size_bytes),
    )


def _readable(stream: Stream, samples: range, times: range, size_bytes: int) -> Fraction:
    """Which part of *samples* has its bytes inside the file, 0 to 1.

    FFmpeg keeps uncompressed sound by chunks, not samples; those are chosen by their *times*.
    """
    entries = stream.index_entries
    if len(entries) >= samples.stop:
        chosen = [entries[i] for i in samples]
    else:
        chosen = [entry for entry in entries if entry.timestamp in times]
    there = sum(1 for entry in chosen if entry.pos + entry.size <= size_bytes)
    return Fraction(there, len(chosen)) if chosen else Fraction(1)


def frame_samples(ticks: int, tick: Fraction, context: AudioCodecContext | None) -> int | None:
    """Samples of a packet that lasts *ticks*; ``None`` if packets differ or do not say.

    A container that counts in samples, or in packets, says it; others round.
    """
    rate = (context.sample_rate if context else None) or 0
    nominal = ticks * tick * rate
    if nominal.denominator == 1 and (tick * rate == 1 or ticks == 1):
        return int(nominal) or None
    return getattr(context, "frame_size", 0) or None
