"""ICC profiles for colours that a file only names: ``nclx`` boxes, ``cICP`` chunks. Pure.

Layout: ICC.1:2022 (profile version 4.4), 7 to 10; matrix and tone curves, as in its annex F.
"""

from __future__ import annotations

import struct

from preprocess.colorimetry import D50, adaptation, product, rgb_to_xyz, transposed, white_of

SRGB_PRIMARIES = frozenset({"bt709", "smpte170m", "bt470bg"})
"""Those of sRGB, or so near that every viewer shows them as sRGB."""
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# ITU-T H.273 (2023-07), table 3. Stills in the curves of BT.709, BT.601 and BT.2020 are shown with
# the curve of sRGB by viewers; so are those that do not name one.
_CURVES: dict[str | None, tuple[float, ...]] = {
    "gamma22": (2.2, 1.0, 0.0, 1.0, 0.0),
    "gamma28": (2.8, 1.0, 0.0, 1.0, 0.0),
    "linear": (1.0, 1.0, 0.0, 1.0, 0.0),
}


def is_srgb(primaries: str | None, transfer: str | None) -> bool:
    """Whether colours of these names need no conversion; what is not named is sRGB."""
    return (primaries is None or primaries in SRGB_PRIMARIES) and transfer not in _CURVES


def profile_of(primaries: str | None, transfer: str | None) -> bytes:
    """The profile of a display with *primaries* and *transfer*, by FFmpeg's names.

    Raises:
        KeyError: no primaries of that name.
    """
    name = primaries or "bt709"
    adapted = adaptation(white_of(name), D50)
    red, green, blue = transposed(product(adapted, rgb_to_xyz(name)))
    curve = b"para" + bytes(4) + struct.pack(">HH", 3, 0)
    curve += _fixed(*_CURVES.get(transfer, _SRGB_CURVE))
    text = f"{name}, {transfer or 'sRGB'}"
    tags = {
        b"desc": _text(text),
        b"cprt": _text("none"),
        b"wtpt": _xyz(*D50),
        b"chad": b"sf32" + bytes(4) + _fixed(*(value for row in adapted for value in row)),
        b"rXYZ": _xyz(*red),
        b"gXYZ": _xyz(*green),
        b"bXYZ": _xyz(*blue),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    return _assembled(tags)


def _assembled(tags: dict[bytes, bytes]) -> bytes:
    """Header, table and the tags, each at a multiple of four."""
    offset = 128 + 4 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        table += struct.pack(">4sII", name, offset + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x12s48x",
        offset + len(bodies),
        0x04400000,
        *(b"mntr", b"RGB ", b"XYZ ", b"acsp"),
        _fixed(*D50),
    )
    return header + table + bodies


def _fixed(*values: float) -> bytes:
    """Numbers of type s15Fixed16."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*values)


def _text(text: str) -> bytes:
    """A multiLocalizedUnicode of one language."""
    body = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4xII4sII", 1, 12, b"enUS", len(body), 28) + body
