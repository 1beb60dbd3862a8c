"""Colours of displays as numbers: chromaticities, and matrices between light and XYZ. Pure.

A matrix is three rows of three floats; vectors are columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

_D65, _C, _DCI, _E = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351), (1 / 3, 1 / 3)
_BT601_525 = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
# ITU-T H.273 (2023-07), table 2, under FFmpeg's names: x and y of red, green, blue and white.
_CHROMATICITIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    "bt470m": ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    "bt470bg": ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    "smpte170m": _BT601_525,
    "smpte240m": _BT601_525,
    "film": ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    "smpte428": ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), _E),
    "smpte431": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    "smpte432": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    "ebu3213": ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
PRIMARIES = frozenset(_CHROMATICITIES)
"""The names there are."""
D50: Vector = (0.9642, 1.0, 0.8249)
"""White of the profile connection space (ICC.1:2022, 7.2.16)."""
# ICC.1:2022, annex E.3.
_BRADFORD: Matrix = (
    (0.8951, 0.2664, -0.1614),
    (-0.7502, 1.7135, 0.0367),
    (0.0389, -0.0685, 1.0296),
)


def rgb_to_xyz(primaries: str) -> Matrix:
    """Linear light of *primaries* to XYZ, white at Y = 1.

    Raises:
        KeyError: no primaries of that name.
    """
    corners = _CHROMATICITIES[primaries][:3]
    columns = transposed(_rows((x, y, 1 - x - y) for x, y in corners))
    shares = applied(inverse(columns), white_of(primaries))
    return _rows(tuple(a * b for a, b in zip(row, shares, strict=True)) for row in columns)


def white_of(primaries: str) -> Vector:
    """XYZ of the white of *primaries*, Y = 1.

    Raises:
        KeyError: no primaries of that name.
    """
    x, y = _CHROMATICITIES[primaries][3]
    return (x / y, 1.0, (1 - x - y) / y)


def adaptation(white: Vector, to: Vector) -> Matrix:
    """The Bradford matrix that turns *white* into the white *to*."""
    seen, wanted = applied(_BRADFORD, white), applied(_BRADFORD, to)
    gains = [after / before for before, after in zip(seen, wanted, strict=True)]
    adapted = _rows(
        tuple(gain * value for value in row) for gain, row in zip(gains, _BRADFORD, strict=True)
    )
    return product(inverse(_BRADFORD), adapted)


def applied(matrix: Matrix, vector: Vector) -> Vector:
    """The product of a matrix and a column."""
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return first, second, third


def product(one: Matrix, other: Matrix) -> Matrix:
    """The matrix that does *other*, then *one*."""
    return transposed(_rows(applied(one, column) for column in transposed(other)))


def inverse(matrix: Matrix) -> Matrix:
    """By cofactors.

    Raises:
        ZeroDivisionError: there is none.
    """
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    return _rows(tuple(value / determinant for value in row) for row in cofactors)


def transposed(matrix: Matrix) -> Matrix:
    """Rows become columns."""
    return _rows(zip(*matrix, strict=True))


def _rows(rows: Iterable[tuple[float, ...]]) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = rows
    return (a, b, c), (d, e, f), (g, h, i)
