"""What became of the sound of a window: counted, because decoders end quietly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from preprocess.engines.failures import SoundDamaged, SoundLost

_NORMAL_LOSS_S = Fraction(1, 10)
"""What may be missing in all of a window. Decoders need a packet or two to find their feet where a
stream was cut: up to 52 ms of MP3 (its bit reservoir), 43 ms of AAC, 80 ms of Opus (RFC 7845)."""
_UNSAID_S = Fraction(1, 4)
"""A packet whose container says no length lasts until the next one, and no longer than this: more
is a hole."""


@dataclass(slots=True)
class _Packet:
    start_s: Fraction
    length_s: Fraction | None
    """``None``: nothing is said."""


class Account:
    """Seconds of sound that the packets of a window promise, against those that came of it."""

    def __init__(self, length_s: Fraction) -> None:
        self._bounds = (Fraction(0), length_s)
        self._open: _Packet | None = None
        self._promised_s = Fraction(0)
        self._got_s = Fraction(0)

    def narrow(self, start_s: Fraction, end_s: Fraction) -> None:
        """From here on only what lies between these counts."""
        self._close(None)
        self._bounds = (start_s, end_s)

    def promise(self, start_s: Fraction, length_s: Fraction | None) -> None:
        """A packet that starts at *start_s*; ``None``: nothing says how long it is."""
        self._close(start_s)
        self._open = _Packet(start_s, length_s)

    def get(self, start_s: Fraction, length_s: Fraction) -> None:
        """Samples that came out of it."""
        self._got_s += self._inside(start_s, length_s)

    def settle(self) -> None:
        """All packets and samples have come.

        Raises:
            SoundLost: nothing was promised, or nothing came.
            SoundDamaged: more is missing than decoders leave out.
        """
        self._close(None)
        if not self._got_s:
            raise SoundLost(self._promised_s)
        if self._promised_s - self._got_s > _NORMAL_LOSS_S:
            raise SoundDamaged(self._got_s, self._promised_s)

    def _close(self, next_s: Fraction | None) -> None:
        packet, self._open = self._open, None
        if packet is None:
            return
        length_s = packet.length_s
        if length_s is None:
            length_s = (
                min(next_s - packet.start_s, _UNSAID_S) if next_s is not None else Fraction(0)
            )
        self._promised_s += self._inside(packet.start_s, length_s)

    def _inside(self, start_s: Fraction, length_s: Fraction) -> Fraction:
        low, high = self._bounds
        return max(Fraction(0), min(start_s + length_s, high) - max(start_s, low))
