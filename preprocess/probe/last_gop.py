"""Whether the last picture of an MPEG stream is whole.

Nothing says how long it should be: the parser takes whatever there is, and a decoder hides what is
missing, unless it is told to be strict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from preprocess.native import is_decodable, strict_decoder

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

_MAX_BYTES = 64 << 20
"""Coded pictures held at most: 15 s at 36 Mbit/s without a key picture. Beyond, nothing is said."""


class LastGop:
    """The coded pictures from the last key picture on."""

    def __init__(self) -> None:
        self._packets: list[Packet[Stream]] = []
        self._bytes = 0

    def add(self, packet: Packet[Stream]) -> None:
        """Take the next packet of the picture track, in the order of the file."""
        if packet.is_keyframe:
            self._packets.clear()
            self._bytes = 0
        self._bytes += packet.size
        if self._bytes <= _MAX_BYTES:
            self._packets.append(packet)
        else:
            self._packets.clear()

    def ends_torn(self) -> bool:
        """Whether the last picture alone is refused: where others are, strictness is to blame."""
        if not self._packets or not is_decodable(self._packets[0].stream):
            return False
        context = strict_decoder(self._packets[0].stream)
        *whole, last = self._packets
        try:
            for packet in whole:
                context.decode(packet)
        except av.FFmpegError:
            return False
        try:
            frames = [*context.decode(last), *context.decode(None)]
        except av.FFmpegError:
            return True
        return any(frame.is_corrupt and frame.pts == last.pts for frame in frames)
