from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from preprocess import tonemap
from preprocess.colorimetry import PRIMARIES
from preprocess.plan import Colours
from preprocess.probe.colours import TRANSFERS
from preprocess.tonemap import Curve, converter, cube
from preprocess.transfer import HLG, PQ, hlg_gamma, hlg_scene, pq_light, pq_signal, sdr_light
from tests.images.colours import delta_e, lab

HDR10 = Colours(primaries="bt2020", transfer=PQ)
HLG10 = Colours(primaries="bt2020", transfer=HLG)
P3 = Colours(primaries="smpte432", transfer="bt709")
FROM_PQ, FROM_HLG, FROM_P3 = converter(HDR10), converter(HLG10), converter(P3)
# ITU-R BT.2087-0, 2.1, and its inverse as BT.2407-0 gives it.
TO_BT709 = (
    (1.6605, -0.5876, -0.0728),
    (-0.1246, 1.1329, -0.0083),
    (-0.0182, -0.1006, 1.1187),
)
TO_BT2020 = ((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956))
# ITU-R BT.2408-8, table 1: light in cd/m2, signals of HLG and PQ in per cent.
LEVELS = [(26, 38, 38), (162, 71, 56), (179, 73, 57), (203, 75, 58)]
INSIDE = [
    *((1.0, 1.0, 1.0), (0.18, 0.18, 0.18), (0.8, 0.5, 0.4), (0.35, 0.2, 0.14), (0.9, 0.1, 0.1)),
    *((0.1, 0.7, 0.2), (0.1, 0.2, 0.8), (0.7, 0.7, 0.1), (0.2, 0.8, 0.8), (0.8, 0.2, 0.7)),
]
"""Light in BT.709: greys, skins, and primaries and their mixtures that are not quite pure."""
SHARES = st.floats(0, 1)


def applied(
    matrix: tuple[tuple[float, float, float], ...], colour: tuple[float, float, float]
) -> tuple[float, float, float]:
    r, g, b = (sum(a * c for a, c in zip(row, colour, strict=True)) for row in matrix)
    return r, g, b


def coded(nits: float, colour: tuple[float, float, float]) -> tuple[float, float, float]:
    """PQ of BT.709 light."""
    r, g, b = (pq_signal(nits * max(0.0, light)) for light in applied(TO_BT2020, colour))
    return r, g, b


def bytes_of(signal: tuple[float, float, float]) -> tuple[float, float, float]:
    r, g, b = (255 * value for value in signal)
    return r, g, b


# --- transfer functions --------------------------------------------------------------------------


@pytest.mark.parametrize(("nits", "hlg", "pq"), LEVELS)
def test_levels_are_those_of_the_recommendation(nits: int, hlg: int, pq: int) -> None:
    assert pq_signal(nits) == pytest.approx(pq / 100, abs=0.005)
    assert 1000 * hlg_scene(hlg / 100) ** hlg_gamma(1000) == pytest.approx(nits, rel=0.04)


@pytest.mark.parametrize(
    ("signal", "nits"),
    [(0, 0), (0.5, 92.2457), (0.508078, 100), (0.751827, 1000), (0.902572, 4000), (1, 10_000)],
)
def test_pq_is_the_published_curve_both_ways(signal: float, nits: float) -> None:
    """Points that tables of SMPTE ST 2084 give."""
    assert pq_light(signal) == pytest.approx(nits, rel=1e-5)
    assert pq_signal(nits) == pytest.approx(signal, abs=1e-6)


@pytest.mark.parametrize(("signal", "scene"), [(0, 0), (0.5, 1 / 12), (1, 1)])
def test_hlg_is_the_published_curve(signal: float, scene: float) -> None:
    assert hlg_scene(signal) == pytest.approx(scene, abs=1e-6)


@pytest.mark.parametrize(
    ("transfer", "light"),
    [
        ("bt709", 0.5**2.4),
        (None, 0.5**2.4),
        ("bt2020-10", 0.5**2.4),
        ("gamma22", 0.5**2.2),
        ("gamma28", 0.5**2.8),
        ("linear", 0.5),
        ("iec61966-2-1", 0.21404),
    ],
)
def test_an_sdr_signal_means_what_its_display_shows(transfer: str | None, light: float) -> None:
    assert sdr_light(transfer, 0.5) == pytest.approx(light, abs=1e-5)
    assert sdr_light(transfer, 1) == 1


# --- what becomes of HDR -------------------------------------------------------------------------


@pytest.mark.parametrize("nits", [0, 1, 5, 26, 40])
def test_grey_up_to_the_knee_stays_the_light_it_is(nits: float) -> None:
    expected = (nits / 203) ** (1 / 2.4)

    assert FROM_PQ(*[pq_signal(nits)] * 3) == pytest.approx((expected,) * 3, abs=1e-3)


@pytest.mark.parametrize("nits", [1, 5, 20, 40])
@pytest.mark.parametrize("colour", INSIDE)
def test_colours_inside_bt709_stay_what_they_are_below_the_knee(
    nits: float, colour: tuple[float, float, float]
) -> None:
    r, g, b = ((nits / 203 * light) ** (1 / 2.4) for light in colour)
    found = FROM_PQ(*coded(nits, colour))

    assert delta_e(lab(bytes_of(found)), lab(bytes_of((r, g, b)))) < 0.5


def test_pq_and_hlg_of_one_scene_come_out_alike() -> None:
    for _, hlg, _ in LEVELS:
        signal = hlg / 100
        nits = 1000 * hlg_scene(signal) ** 1.2
        found = FROM_PQ(*[pq_signal(nits)] * 3)[0], FROM_HLG(*[signal] * 3)[0]

        assert found[0] == pytest.approx(found[1], abs=6 / 255)


def test_diffuse_white_is_bright_and_leaves_room_above() -> None:
    """Not the washed-out white of a clip, not the grey of a picture made for other eyes."""
    for white in (FROM_PQ(*[pq_signal(203)] * 3)[0], FROM_HLG(*[0.75] * 3)[0]):
        assert 205 <= 255 * white <= 225
    # A cloud at 400 cd/m2 and one at 800 are told apart.
    for convert, signals in ((FROM_PQ, (0.6513, 0.7273)), (FROM_HLG, (0.859, 0.965))):
        cloud, brighter = (255 * convert(*[signal] * 3)[0] for signal in signals)
        assert brighter - cloud > 8


@pytest.mark.parametrize("peak", [1000, 4000])
def test_the_roll_off_is_the_eetf_of_bt_2390(peak: int) -> None:
    """Its formulae, written down from the report."""
    most = pq_signal(203) / pq_signal(peak)
    start = pq_signal(40) / pq_signal(peak)
    curve = Curve(peak)
    for nits in (50, 100, 203, 400, 700, 1000):
        e1 = pq_signal(nits) / pq_signal(peak)
        t = (e1 - start) / (1 - start)
        e2 = (2 * t**3 - 3 * t**2 + 1) * start + (t**3 - 2 * t**2 + t) * (1 - start)
        e2 += (-2 * t**3 + 3 * t**2) * most
        light = pq_light(e2 * pq_signal(peak)) / 203

        assert curve.at(nits / 203) == pytest.approx(light, abs=1e-3)
    assert curve.at(peak / 203) == curve.at(10_000 / 203) == 1
    # Its own knee for a peak of 4000, from which on the spline would no longer rise.
    assert 1.5 * pq_signal(203) / pq_signal(4000) - 0.5 >= pq_signal(40) / pq_signal(4000)


@pytest.mark.parametrize("convert", [FROM_PQ, FROM_HLG], ids=["pq", "hlg"])
def test_more_light_is_never_darker_and_white_is_reached(convert: tonemap.Conversion) -> None:
    greys = [convert(*[n / 500] * 3) for n in range(501)]
    levels = [grey[0] for grey in greys]

    assert all(grey == pytest.approx([grey[0]] * 3, abs=1e-3) for grey in greys)
    assert all(b > a - 1e-9 for a, b in pairwise(levels))
    assert (levels[0], levels[-1]) == (0, 1)


@given(SHARES, SHARES, SHARES)
def test_every_signal_becomes_a_signal(red: float, green: float, blue: float) -> None:
    for convert in (FROM_PQ, FROM_HLG, FROM_P3):
        assert all(0 <= channel <= 1 for channel in convert(red, green, blue))


@given(st.tuples(SHARES, SHARES, SHARES), st.floats(1, 900))
def test_no_two_saturations_become_one(colour: tuple[float, float, float], nits: float) -> None:
    """A flat neon patch is a lost gradient: up to the border of BT.2020 colours keep apart."""
    top, low = max(colour), min(colour)
    assume(top - low > 0.2)
    pure = [(share - low) / (top - low) for share in colour]
    spreads = []
    for step in range(11):
        mixed = [(1 - step / 10) + step / 10 * share for share in pure]
        r, g, b = (pq_signal(nits * light) for light in mixed)
        found = FROM_PQ(r, g, b)
        spreads.append(1 - min(found) / max(found))

    assert all(b > a + 0.001 for a, b in pairwise(spreads))


@pytest.mark.parametrize("colour", INSIDE[4:])
def test_a_highlight_keeps_its_hue_and_bleaches_a_little(
    colour: tuple[float, float, float],
) -> None:
    def seen(nits: float) -> tuple[float, float]:
        _, a, b = lab(bytes_of(FROM_PQ(*coded(nits, colour))))
        return a, b

    (a1, b1), (a2, b2) = seen(20), seen(1000)
    cosine = (a1 * a2 + b1 * b2) / ((a1**2 + b1**2) * (a2**2 + b2**2)) ** 0.5

    assert cosine > 0.965  # 15 degrees


def test_the_border_of_bt2020_comes_to_lie_on_that_of_bt709() -> None:
    """The farthest colour of each channel is moved to the border, none beyond, none far inside."""
    corners = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1)]
    lows = [
        min(FROM_PQ(*(pq_signal(30 * light) for light in corner))[channel] for corner in corners)
        for channel in range(3)
    ]

    assert lows == pytest.approx([0, 0, 0], abs=0.02)


# --- wide-gamut SDR ------------------------------------------------------------------------------


def test_white_and_greys_of_wide_sdr_stay() -> None:
    for level in (0.0, 0.2, 0.5, 0.9, 1.0):
        assert FROM_P3(*[level] * 3) == pytest.approx([level] * 3, abs=1e-3)


def test_the_white_of_digital_cinema_is_white() -> None:
    cinema = converter(Colours(primaries="smpte431", transfer="gamma22"))

    assert cinema(1, 1, 1) == pytest.approx((1, 1, 1), abs=1e-3)


def test_colours_of_p3_become_the_same_colours_in_bt709() -> None:
    """A brick of Display P3, by the matrices Apple publishes: (0.6, 0.35, 0.3) in gamma 2.4."""
    p3 = (0.6**2.4, 0.35**2.4, 0.3**2.4)
    to_bt709 = ((1.2249, -0.2247, 0), (-0.0420, 1.0419, 0), (-0.0197, -0.0786, 1.0979))
    expected = [light ** (1 / 2.4) for light in applied(to_bt709, p3)]

    assert FROM_P3(0.6, 0.35, 0.3) == pytest.approx(expected, abs=2e-3)


def test_bt709_under_another_curve_is_not_moved_at_all() -> None:
    """Nothing lies outside, so even pure colours stay."""
    linear = converter(Colours(primaries="bt709", transfer="linear"))

    assert linear(1, 0, 0) == pytest.approx((1, 0, 0), abs=1e-6)
    assert linear(0.2, 0.5, 0.0) == pytest.approx((0.2 ** (1 / 2.4), 0.5 ** (1 / 2.4), 0), abs=1e-6)


@pytest.mark.parametrize("primaries", sorted(PRIMARIES))
def test_every_name_of_primaries_and_transfer_makes_a_lut_that_keeps_white(primaries: str) -> None:
    for transfer in TRANSFERS.values():
        convert = converter(Colours(primaries=primaries, transfer=transfer))

        assert convert(1, 1, 1) == pytest.approx((1, 1, 1), abs=2e-3)
        assert convert(0, 0, 0) == (0, 0, 0)
        for signal in ((1.0, 0.2, 0.0), (0.0, 1.0, 0.5), (0.1, 0.0, 0.9)):
            assert all(0 <= channel <= 1 for channel in convert(*signal))


# --- the file ------------------------------------------------------------------------------------


def test_the_file_holds_the_function_with_red_fastest() -> None:
    head, *lines = cube(HLG10).splitlines()
    rows = [tuple(float(word) for word in line.split()) for line in lines]
    n = tonemap.GRID
    red, green, blue = 5, 17, 30
    node = red + n * (green + n * blue)

    assert head == f"LUT_3D_SIZE {n}"
    assert len(rows) == n**3
    assert rows[node] == pytest.approx(
        FROM_HLG(red / (n - 1), green / (n - 1), blue / (n - 1)), abs=1e-5
    )


def test_it_is_made_in_less_than_a_third_of_a_second() -> None:
    """Of CPU time, once in the life of a worker; the fastest of three, on machines with company."""

    def cost() -> float:
        before = time.process_time()
        cube(HDR10)
        return time.process_time() - before

    assert min(cost() for _ in range(3)) < 0.3
