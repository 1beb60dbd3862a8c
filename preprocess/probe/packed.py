"""MPEG-4 as DivX and Xvid put it into AVI: two pictures in one packet, and an empty one after.

AVI wants one packet a picture in the order of showing, so B pictures travel with the picture they
refer to. FFmpeg's decoder takes them apart, but the times of its demuxer are then those of others
(8.1.2). ISO/IEC 14496-2, 6.2.5: the two bits after a VOP's start code are its coding type.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from av.bitstream import BitStreamFilterContext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.packet import Packet
    from av.stream import Stream

_PACKED = re.compile(rb"DivX\d+(?:b|Build)\d+p")
_VOP, _B = b"\0\0\1\xb6", 2


def is_packed(extradata: bytes | None) -> bool:
    """Whether the encoder says that it packs pictures."""
    return _PACKED.search(extradata or b"") is not None


class Unpacked:
    """One packet a picture, with the time at which it is shown."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._filter = BitStreamFilterContext("mpeg4_unpack_bframes", stream)
        self._group: list[Packet[Stream]] = []
        """A picture that others refer to, and the B pictures that are shown before it."""

    def feed(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Take the next packet of the file; yield pictures in decode order."""
        for picture in self._filter.filter(packet):
            if self._group and not _is_b(picture):
                yield from self._timed(picture.dts)
            picture.stream = self._stream
            self._group.append(picture)

    def finish(self) -> Iterator[Packet[Stream]]:
        """Yield what was held back."""
        last = self._group[-1] if self._group else None
        after = None if last is None or last.dts is None else last.dts + (last.duration or 1)
        yield from self._timed(after)

    def _timed(self, after: int | None) -> Iterator[Packet[Stream]]:
        """The group, of which the first is shown last: as the next one, at *after*, is decoded.

        Decode times are one picture ahead of all of these.
        """
        times = [picture.dts for picture in self._group]
        for picture, time in zip(self._group, [after, *times[1:]], strict=True):
            picture.pts = time
        yield from self._group
        self._group = []


def _is_b(picture: Packet[Stream]) -> bool:
    data = bytes(picture)
    place = data.find(_VOP)
    return 0 <= place < len(data) - len(_VOP) and data[place + len(_VOP)] >> 6 == _B
