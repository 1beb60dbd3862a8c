"""Colour arithmetic of the tests' own, and profiles with the numbers their makers publish."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Triple = tuple[float, float, float]

# Colorants in the profile connection space (D50), as in the profiles of their makers.
DISPLAY_P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)
ADOBE_RGB = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)
SRGB = (
    (0.4360747, 0.2225045, 0.0139322),
    (0.3850649, 0.7168786, 0.0971045),
    (0.1430804, 0.0606169, 0.7141733),
)
ADOBE_GAMMA = 563 / 256
# IEC 61966-2-1 in D50, inverted.
_SRGB_OF_XYZ = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)
_WHITE = (0.9642, 1.0, 0.8249)


def srgb_light(value: float) -> float:
    """Linear light of a coded value, 0 to 1."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def adobe_light(value: float) -> float:
    """The same, in Adobe RGB."""
    return float(value**ADOBE_GAMMA)


def xyz(
    colour: tuple[float, ...], columns: tuple[Triple, ...], light: Callable[[float], float]
) -> Triple:
    """XYZ (D50) of an 8-bit colour."""
    linear = [light(value / 255) for value in colour]
    x, y, z = (sum(a * c[n] for a, c in zip(linear, columns, strict=True)) for n in range(3))
    return x, y, z


def in_srgb(found: Triple) -> Triple:
    """8-bit sRGB of an XYZ (D50), what is outside cut off, not rounded."""
    linear = [sum(a * b for a, b in zip(row, found, strict=True)) for row in _SRGB_OF_XYZ]
    cut = [min(max(value, 0.0), 1.0) for value in linear]
    r, g, b = (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in cut)
    return 255 * r, 255 * g, 255 * b


def lab(colour: Triple) -> Triple:
    """CIELAB (D50) of an 8-bit sRGB colour."""
    found = xyz(colour, SRGB, srgb_light)
    f = [
        t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116
        for t in (value / white for value, white in zip(found, _WHITE, strict=True))
    ]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def delta_e(one: Triple, other: Triple) -> float:
    """CIEDE2000 between two CIELAB colours (Sharma, Wu and Dalal, 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    dl, dc = l2 - l1, c2 - c1
    dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    lightness, c = (l1 + l2) / 2, (c1 + c2) / 2
    h = h1 + h2 if c1 * c2 == 0 else h1 + turn / 2
    t = (
        1
        - 0.17 * math.cos(math.radians(h - 30))
        + 0.24 * math.cos(math.radians(2 * h))
        + 0.32 * math.cos(math.radians(3 * h + 6))
        - 0.20 * math.cos(math.radians(4 * h - 63))
    )
    sl = 1 + 0.015 * (lightness - 50) ** 2 / math.sqrt(20 + (lightness - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    angle = 30 * math.exp(-((((h % 360) - 275) / 25) ** 2))
    rt = -2 * math.sqrt(c**7 / (c**7 + 25**7)) * math.sin(math.radians(2 * angle))
    parts = dl / sl, dc / sc, dh / sh
    return math.sqrt(sum(p * p for p in parts) + rt * parts[1] * parts[2])


def matrix_profile(columns: tuple[Triple, ...], curve: bytes) -> bytes:
    """A profile of version 2 for RGB."""
    tags = {b"wtpt": _xyz_tag(_WHITE), b"desc": _desc(b"made for a test"), b"cprt": _text(b"none")}
    for name, colour in zip(b"rgb", columns, strict=True):
        letter = bytes([name])
        tags[letter + b"XYZ"] = _xyz_tag(colour)
        tags[letter + b"TRC"] = curve
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    """A profile of version 2 for grey."""
    tags = {
        b"wtpt": _xyz_tag(_WHITE),
        b"desc": _desc(b"grey made for a test"),
        b"cprt": _text(b"none"),
        b"kTRC": gamma_curve(gamma),
    }
    return _profile(b"GRAY", tags)


def gamma_curve(gamma: float) -> bytes:
    """A tone curve that is a power."""
    return b"curv" + struct.pack(">4xIH2x", 1, round(gamma * 256))


def srgb_curve() -> bytes:
    """The tone curve of sRGB as a table."""
    values = [round(65535 * srgb_light(n / 1023)) for n in range(1024)]
    return b"curv" + struct.pack(">4xI1024H", 1024, *values)


def _xyz_tag(values: Triple) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(65536 * value) for value in values))


def _text(text: bytes) -> bytes:
    return b"text" + bytes(4) + text + b"\0"


def _desc(text: bytes) -> bytes:
    return b"desc" + struct.pack(">4xI", len(text) + 1) + text + bytes(1 + 78)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, bodies, offset = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, body in tags.items():
        table += struct.pack(">4sII", name, offset + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x",
        *(offset + len(bodies), 0x02400000, b"mntr", space, b"XYZ ", b"acsp"),
        *(round(65536 * value) for value in _WHITE),
    )
    return header + table + bodies
