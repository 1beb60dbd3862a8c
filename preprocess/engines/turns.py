"""Which picture comes out of a decoder, where its own time stamp is not to be trusted."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from preprocess.native import order_time

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

_LATEST = 40
"""A picture comes out before so many more have gone in: 16 are reordered, the rest are threads."""


class Turns:
    """Counts pictures to the first of a window.

    They come out in the order in which they are shown, so that the earliest time of those that have
    gone in and not come out is that of the next one.
    """

    def __init__(self, source: InputContainer, first: int | None) -> None:
        self._source = source
        self._first = first
        """``None``: whatever comes first."""
        self._announced = 0
        self._inside: dict[int, int] = {}
        """Time stamps of pictures that have gone in, as their decoder repeats them, and when."""
        self._times: list[int] = []

    def announce(self, packet: Packet[Stream]) -> None:
        """*packet* goes to the decoder next; before the first key picture nothing comes of it."""
        time = order_time(packet, self._source)
        unwanted = not self._announced and not packet.is_keyframe
        if unwanted or not packet.size or time is None or self._first is None:
            return
        self._announced += 1
        heappush(self._times, time)
        if packet.pts is not None:
            self._inside[packet.pts] = self._announced
        self._forget_lost()

    def _forget_lost(self) -> None:
        """After a jump, pictures shown before the first one are not decoded: no turn is theirs."""
        for pts in [p for p, at in self._inside.items() if at < self._announced - _LATEST]:
            del self._inside[pts]
            if self._times:
                heappop(self._times)

    def has_begun(self, frame: av.VideoFrame) -> bool:
        """Whether *frame* is the first picture of the window, or a later one."""
        if frame.pts is not None:
            self._inside.pop(frame.pts, None)
        if self._first is not None and self._times and heappop(self._times) >= self._first:
            self._first = None
        return self._first is None
