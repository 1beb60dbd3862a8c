"""From any colours to SDR in BT.709, as a 3D LUT. Pure.

HDR is shown as an SDR display with its white at 203 cd/m2 would: unchanged up to the knee, then
rolled off to white. Colours outside BT.709 move towards grey of their own brightness, the more the
farther out they are, so that no two of them become one.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from preprocess.colorimetry import (
    Vector,
    adaptation,
    applied,
    inverse,
    product,
    rgb_to_xyz,
    white_of,
)
from preprocess.plan import Colours
from preprocess.transfer import (
    DISPLAY_GAMMA,
    HLG,
    PQ,
    bt709_light,
    bt709_signal,
    hlg_gamma,
    hlg_scene,
    pq_light,
    pq_signal,
    sdr_light,
)

if TYPE_CHECKING:
    from preprocess.colorimetry import Matrix

WHITE_CD_M2 = 203.0
"""Diffuse white of HDR (ITU-R BT.2408-8 (2024-11), 2.1); 1.0 of everything below."""
KNEE_CD_M2 = 40.0
"""Up to here light stays as it is."""
PEAKS_CD_M2 = {PQ: 4000.0, HLG: 1000.0}
"""Where white is reached. HLG is meant for a display of 1000 (BT.2408-8, 2.2). PQ is mastered at
1000 to 4000, and what files say of it is often wrong: one curve for both costs clips of 1000 six
code values at diffuse white, and clips of 4000 keep their highlights."""
GRID = 33
"""Random colours come out 0.17 off on average and 0.9 in the worst hundredth (CIEDE2000; 2026-11),
for 0.14 s of CPU time. 25 points a side: 0.27 and 1.2, for 0.06 s; 41: 0.12 and 0.7, for 0.25 s."""
_CURVE_STEPS = 512
_CODE = 1 / DISPLAY_GAMMA
_KNEE = KNEE_CD_M2 / WHITE_CD_M2
_BLEACH = 0.25
"""How much of a highlight is rolled off channel by channel, which takes bright colours towards
white as cameras do; the rest keeps the hue. All of it makes orange walls yellow and blue skies
cyan; none leaves flat patches of neon."""
_GAMUT_KNEE = 0.85
"""Distance from grey at which colours begin to be moved; 1 is the border. Pure red and blue of
BT.709 are moved by 3 to 4 in CIEDE2000, half as saturated ones not at all."""
_BENT_BELOW = bt709_light(1 - _GAMUT_KNEE)
_NOTHING = 1e-9
_CORNERS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1))


Conversion = Callable[[float, float, float], Vector]
"""R'G'B' to R'G'B', all 0 to 1."""


def table(colours: Colours) -> list[Vector]:
    """The LUT, `GRID` points a side: red changes fastest."""
    convert = converter(colours)
    nodes = [n / (GRID - 1) for n in range(GRID)]
    return [convert(red, green, blue) for blue, green, red in itertools.product(nodes, repeat=3)]


def cube(colours: Colours) -> str:
    """The LUT as a .cube file (Adobe Cube LUT Specification 1.0)."""
    lines = ["%.5f %.5f %.5f" % node for node in table(colours)]  # noqa: UP031 - fastest
    return f"LUT_3D_SIZE {GRID}\n" + "\n".join(lines) + "\n"


def converter(colours: Colours) -> Conversion:
    """The function behind the LUT: from *colours* to SDR in BT.709."""
    light = cache(_light(colours))
    ootf = hlg_gamma(PEAKS_CD_M2[HLG]) - 1 if colours.transfer == HLG else None
    weigh_r, weigh_g, weigh_b = rgb_to_xyz(colours.primaries)[1]
    to_bt709 = _to_bt709(colours.primaries)
    (rr, rg, rb), (gr, gg, gb), (br, bg, bb) = to_bt709
    peak = PEAKS_CD_M2.get(colours.transfer)
    roll_off = None if peak is None else Curve(peak)
    gamut = Gamut(to_bt709)

    def convert(red: float, green: float, blue: float) -> Vector:
        r, g, b = light(red), light(green), light(blue)
        if ootf is not None:
            scene = weigh_r * r + weigh_g * g + weigh_b * b
            gain = PEAKS_CD_M2[HLG] / WHITE_CD_M2 * scene**ootf
            r, g, b = r * gain, g * gain, b * gain
        mixed = (
            rr * r + rg * g + rb * b,
            gr * r + gg * g + gb * b,
            br * r + bg * g + bb * b,
        )
        return gamut.signal(mixed if roll_off is None else roll_off.applied(mixed))

    return convert


def _light(colours: Colours) -> Callable[[float], float]:
    """Signal to light: of the scene for HLG, of the display for all else; white at 1."""
    if colours.transfer == HLG:
        return hlg_scene
    if colours.transfer == PQ:
        return lambda signal: pq_light(signal) / WHITE_CD_M2
    return lambda signal: sdr_light(colours.transfer, signal)


def _to_bt709(primaries: str) -> Matrix:
    adapted = adaptation(white_of(primaries), white_of("bt709"))
    return product(inverse(rgb_to_xyz("bt709")), product(adapted, rgb_to_xyz(primaries)))


class Curve:
    """The EETF of ITU-R BT.2390-11 (2023-03), 5.4.1, from *peak_cd_m2* down to white at 1.

    Its own knee for a peak of 4000 cd/m2 is `KNEE_CD_M2`; it is kept for lower peaks, which would
    have it at 88 for HLG: then clouds that a phone films at 400 cd/m2 all come out at 250 of 255.
    """

    def __init__(self, peak_cd_m2: float) -> None:
        self._top = peak_cd_m2 / WHITE_CD_M2
        self._peak = pq_signal(peak_cd_m2)
        self._white = pq_signal(WHITE_CD_M2) / self._peak
        self._start = pq_signal(KNEE_CD_M2) / self._peak
        steps = (n / _CURVE_STEPS for n in range(_CURVE_STEPS + 1))
        self._table = [self._exact(self._top * step * step) for step in steps]

    def _exact(self, light: float) -> float:
        """Hermite spline in PQ between the knee and the peak."""
        coded = pq_signal(light * WHITE_CD_M2) / self._peak
        if coded <= self._start:
            return light
        span = 1 - self._start
        t = (coded - self._start) / span
        spline = (
            (2 * t**3 - 3 * t**2 + 1) * self._start
            + (t**3 - 2 * t**2 + t) * span
            + (3 * t**2 - 2 * t**3) * self._white
        )
        return pq_light(spline * self._peak) / WHITE_CD_M2

    def at(self, light: float) -> float:
        """What *light* becomes."""
        if light <= _KNEE:
            return light
        place = math.sqrt(light / self._top) * _CURVE_STEPS
        index = int(place)
        if index >= _CURVE_STEPS:
            return 1.0
        low, high = self._table[index], self._table[index + 1]
        return low + (high - low) * (place - index)

    def applied(self, colour: Vector) -> Vector:
        """Part by the brightest channel, which keeps the hue, part channel by channel."""
        brightest = max(colour)
        if brightest <= _KNEE:
            return colour
        gain = self.at(brightest) / brightest
        r, g, b = colour
        return self._bleached(r, gain), self._bleached(g, gain), self._bleached(b, gain)

    def _bleached(self, channel: float, gain: float) -> float:
        if channel <= 0:
            return gain * channel
        return (1 - _BLEACH) * gain * channel + _BLEACH * self.at(channel)


class Gamut:
    """Where colours of other primaries go in BT.709: the gamut compression of ACES 1.3.

    The distance of each channel from the brightest one is bent, beginning at `_GAMUT_KNEE`, so that
    the farthest there is comes to lie on the border. Here as BT.709 cameras code light: in steps
    that look even, and straight where a channel passes zero, which would otherwise be seen.
    """

    def __init__(self, to_bt709: Matrix) -> None:
        corners = [applied(to_bt709, corner) for corner in _CORNERS]
        shares = ([channel / max(corner) for channel in corner] for corner in corners)
        ends = (1 - bt709_signal(min(column)) for column in zip(*shares, strict=True))
        self._red, self._green, self._blue = (_bend(end) for end in ends)

    def signal(self, light: Vector) -> Vector:
        """Gamma-coded *light*, 0 to 1; what is brighter than white keeps its hue."""
        brightest = max(light)
        if brightest <= 0:
            return 0.0, 0.0, 0.0
        top = math.pow(min(1.0, brightest), _CODE)
        r, g, b = light
        return (
            top * _inside(r / brightest, self._red),
            top * _inside(g / brightest, self._green),
            top * _inside(b / brightest, self._blue),
        )


def _bend(end: float) -> float:
    """The hyperbola of slope 1 at the knee that reaches the border at *end*; straight if inside."""
    room, reach = 1 - _GAMUT_KNEE, end - _GAMUT_KNEE
    return room * reach / (reach - room) if reach > room + _NOTHING else math.inf


def _inside(share: float, bend: float) -> float:
    """A channel as a share of the brightest one, moved in and gamma-coded."""
    if share < _BENT_BELOW:
        over = 1 - _GAMUT_KNEE - bt709_signal(share)
        share = bt709_light(1 - _GAMUT_KNEE - over / (1 + over / bend))
    return math.pow(max(0.0, share), _CODE)


if __name__ == "__main__":
    # `python -m preprocess.tonemap PRIMARIES TRANSFER`, for commands that people start themselves.
    sys.stdout.write(cube(Colours(primaries=sys.argv[1], transfer=sys.argv[2])))
