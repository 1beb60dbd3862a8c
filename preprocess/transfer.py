"""Transfer functions: what light a signal stands for. Pure.

Signals are 0 to 1. Light is cd/m2 for PQ, relative to peak white for everything else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PQ, HLG = "smpte2084", "arib-std-b67"
"""FFmpeg's names of the two HDR transfer functions."""

# ITU-R BT.2100-3 (2025-02), table 4.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_PQ_PEAK_CD_M2 = 10_000.0
# The same, table 5.
_A = 0.17883277
_B = 1 - 4 * _A
_C = 0.5 - _A * math.log(4 * _A)
# ITU-R BT.2020-2, table 4: where the two pieces of the curve meet.
_BT709_ALPHA, _BT709_BETA = 1.09929682680944, 0.018053968510807
# SDR is graded on displays of this gamma (ITU-R BT.1886, black at zero), whatever the camera did.
DISPLAY_GAMMA = 2.4


def pq_light(signal: float) -> float:
    """Light in cd/m2 of a PQ *signal*: the EOTF."""
    root = signal ** (1 / _M2)
    base = max(0.0, root - _C1) / (_C2 - _C3 * root)
    return float(_PQ_PEAK_CD_M2 * base ** (1 / _M1))


def pq_signal(light_cd_m2: float) -> float:
    """The inverse of `pq_light`."""
    power = (light_cd_m2 / _PQ_PEAK_CD_M2) ** _M1
    return float(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def hlg_scene(signal: float) -> float:
    """Light of the scene, 0 to 1, of an HLG *signal*: the inverse OETF."""
    if signal <= 0.5:  # noqa: PLR2004 - where the square root ends
        return signal * signal / 3
    return (math.exp((signal - _C) / _A) + _B) / 12


def hlg_gamma(peak_cd_m2: float) -> float:
    """System gamma of a display with that peak (BT.2100-3, table 5, note 5f); 1.2 at 1000."""
    return 1.2 + 0.42 * math.log10(peak_cd_m2 / 1000)


def bt709_signal(light: float) -> float:
    """The OETF of ITU-R BT.709-6, 1.2, with more digits; straight on below zero."""
    if light < _BT709_BETA:
        return 4.5 * light
    return _BT709_ALPHA * math.pow(light, 0.45) - (_BT709_ALPHA - 1)


def bt709_light(signal: float) -> float:
    """The inverse of `bt709_signal`."""
    if signal < 4.5 * _BT709_BETA:
        return signal / 4.5
    return math.pow((signal + _BT709_ALPHA - 1) / _BT709_ALPHA, 1 / 0.45)


def _srgb(signal: float) -> float:
    # IEC 61966-2-1.
    linear = signal <= 0.04045  # noqa: PLR2004
    return signal / 12.92 if linear else float(((signal + 0.055) / 1.055) ** 2.4)


def _power(gamma: float) -> Callable[[float], float]:
    return lambda signal: float(signal**gamma)


_DISPLAYS: dict[str, Callable[[float], float]] = {
    "gamma22": _power(2.2),
    "gamma28": _power(2.8),
    "linear": _power(1.0),
    "iec61966-2-1": _srgb,
    # SMPTE ST 428-1: white is 48 of 52.37 cd/m2.
    "smpte428": lambda signal: float(52.37 / 48 * signal**2.6),
}


def sdr_light(transfer: str | None, signal: float) -> float:
    """Light, white at 1, that a display of *transfer* makes of *signal*."""
    return _DISPLAYS.get(transfer or "", _power(DISPLAY_GAMMA))(signal)
