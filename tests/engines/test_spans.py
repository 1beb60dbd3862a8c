"""Where packets promise sound: all of their time, less the holes between them."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from preprocess.probe.bmff import RunTable
from preprocess.probe.spans import laid_out, spans, spread_of, usual_of
from preprocess.soundgraph import HOLE_S

TICK = Fraction(1, 48_000)
HOLE = HOLE_S / TICK
RUNS = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from([1024, 1023, 960, 1984, 5000, 48_000])),
    min_size=1,
    max_size=12,
)


def lengths_of(runs: list[tuple[int, int]]) -> list[int]:
    return [value for count, value in runs for _ in range(count)]


@given(RUNS, st.integers(-5000, 5000))
def test_stretches_of_an_index_are_those_of_its_packets(
    runs: list[tuple[int, int]], start: int
) -> None:
    """The short way by runs finds what looking at every packet finds."""
    usual = usual_of(runs)
    distances = lengths_of(runs)
    starts = [start + place for place in accumulate([0, *distances[:-1]])]
    lengths = [usual if d - usual > HOLE else d for d in distances]

    by_runs = spans(*laid_out(runs, start, usual, HOLE), TICK, Fraction(1))

    assert by_runs == spans(starts, lengths, TICK, Fraction(1))


@given(RUNS)
def test_usual_and_spread_are_those_of_the_packets(runs: list[tuple[int, int]]) -> None:
    distances = sorted(lengths_of(runs))
    usual = usual_of(runs)

    assert usual == distances[(len(distances) - 1) // 2]
    strays = accumulate(d - usual for d in lengths_of(runs))
    assert spread_of(runs, usual) == max(abs(stray) for stray in strays)


@given(RUNS, st.integers(0, 60), st.integers(0, 60))
def test_runs_of_a_table_are_its_values(runs: list[tuple[int, int]], a: int, b: int) -> None:
    start, stop = sorted((a, b))
    table = RunTable([count for count, _ in runs], [value for _, value in runs])

    assert lengths_of(table.runs(start, stop)) == lengths_of(runs)[start:stop]


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 2000)), min_size=1, max_size=30))
def test_spans_hold_every_packet_and_no_hole(packets: list[tuple[int, int]]) -> None:
    starts = list(accumulate(gap + length for gap, (_, length) in _shifted(packets)))
    lengths = [length for _, length in packets]
    found = spans(starts, lengths, TICK, Fraction(0))

    for start, length in zip(starts, lengths, strict=True):
        inside = sum(s.shared_s(start * TICK, (start + length) * TICK) for s in found)
        assert inside == length * TICK
    for before, after in pairwise(found):
        assert after.start_s - before.end_s > HOLE_S


def _shifted(packets: list[tuple[int, int]]) -> list[tuple[int, tuple[int, int]]]:
    """Each packet's gap with the packet before it, whose length it follows."""
    before = [(0, 0), *packets[:-1]]
    return [(gap, previous) for (gap, _), previous in zip(packets, before, strict=True)]
