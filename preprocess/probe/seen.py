"""What a scan remembers of the packets of one stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median_low
from typing import TYPE_CHECKING

from preprocess.facts import SyncKind
from preprocess.native import decoder_of
from preprocess.probe import nal

if TYPE_CHECKING:
    from av.codec.context import CodecContext
    from av.packet import Packet
    from av.stream import Stream


@dataclass(slots=True)
class Seen:
    """Packets of one stream, in the order of the file."""

    pts: list[int] = field(default_factory=list)
    dts: list[int] = field(default_factory=list)
    """``pts`` where the container has none."""
    sizes: list[int] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    kinds: list[SyncKind] = field(default_factory=list)
    """Of each of ``keys``."""
    flagged: list[int] = field(default_factory=list)
    """Packets that the demuxer says are damaged."""
    exact: bool = True

    def add(self, packet: Packet[Stream]) -> int:
        """Take the next packet; its time stamp, or what stands in for it."""
        stamp = packet.pts
        if stamp is None:
            self.exact = False
            stamp = packet.dts
        if stamp is None:
            stamp = self.pts[-1] + (self.durations[-1] or 1) if self.pts else 0
        if packet.is_keyframe:
            self.keys.append(len(self.pts))
            self.kinds.append(_kind(packet))
        if packet.is_corrupt:
            self.flagged.append(len(self.pts))
        self.pts.append(stamp)
        self.dts.append(stamp if packet.dts is None else packet.dts)
        self.sizes.append(packet.size)
        self.durations.append(packet.duration or 0)
        return stamp

    def keep_last(self, count: int) -> None:
        """Forget all but the last *count* packets."""
        dropped = len(self.pts) - count
        if dropped > 0:
            for column in (self.pts, self.dts, self.sizes, self.durations):
                del column[:dropped]
            kept = sum(1 for key in self.keys if key >= dropped)
            self.keys = [key - dropped for key in self.keys[-kept:]] if kept else []
            self.kinds = self.kinds[-kept:] if kept else []
            self.flagged = [n - dropped for n in self.flagged if n >= dropped]

    def drop_last(self, count: int) -> None:
        """Forget the last *count* packets."""
        left = len(self.pts) - count
        del self.pts[left:], self.dts[left:], self.sizes[left:], self.durations[left:]
        self.keys = [key for key in self.keys if key < left]
        del self.kinds[len(self.keys) :]
        self.flagged = [n for n in self.flagged if n < left]

    def usual_duration(self) -> int:
        """Ticks for which a picture usually stays."""
        steps = [b - a for a, b in pairwise(sorted(self.pts)) if b > a]
        if steps:
            return median_low(steps)
        return next((d for d in self.durations if d), 1)

    def end(self) -> int:
        """Where the last packet ends."""
        if not self.pts:
            return 0
        return self.pts[-1] + (self.durations[-1] or self.usual_duration())


def coded(packet: Packet[Stream], context: CodecContext) -> tuple[str, bytes, int | None]:
    """Codec and bytes of *packet*, and how many of them say how long a unit of it is."""
    codec = context.codec.canonical_name
    return codec, bytes(packet), nal.length_size(codec, context.extradata)


def _kind(packet: Packet[Stream]) -> SyncKind:
    context = decoder_of(packet.stream)
    if context is None or context.codec.canonical_name not in ("h264", "hevc"):
        return SyncKind.UNSEEN
    return nal.sync_kind(*coded(packet, context))
