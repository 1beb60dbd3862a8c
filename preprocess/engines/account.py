"""What became of the sound of a window: counted, because decoders end quietly."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.engines.failures import SoundDamaged, SoundLost
from preprocess.rules.sound import normal_loss_s

if TYPE_CHECKING:
    from preprocess.plan import AudioPlan


class Account:
    """Seconds of sound that came of the packets, against those that the plan counts on."""

    def __init__(self, plan: AudioPlan, length_s: Fraction) -> None:
        self._expected_s = plan.expected_s
        self._allowed_s = normal_loss_s(plan.frame_samples, plan.source_rate_hz)
        self._bounds = (Fraction(0), length_s)
        self._got_s = Fraction(0)

    def narrow(self, start_s: Fraction, end_s: Fraction) -> None:
        """From here on only what lies between these counts."""
        self._bounds = (start_s, end_s)

    def get(self, start_s: Fraction, length_s: Fraction) -> None:
        """Samples that were decoded."""
        low, high = self._bounds
        self._got_s += max(Fraction(0), min(start_s + length_s, high) - max(start_s, low))

    def settle(self) -> None:
        """All samples have come.

        Raises:
            SoundLost: there were none.
            SoundDamaged: more is missing than decoders leave out.
        """
        if not self._got_s:
            raise SoundLost
        expected_s = self._expected_s
        if expected_s is not None and expected_s - self._got_s > self._allowed_s:
            raise SoundDamaged(self._got_s, expected_s)
