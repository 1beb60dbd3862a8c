"""The expressions that a filter evaluates say what the plan says."""

from __future__ import annotations

import math
import shutil
import subprocess
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocess.retiming import last_stay, slot, written
from preprocess.schedule import even, limited

IRREGULAR = st.lists(st.integers(0, 5), min_size=1, max_size=80)
REGULAR = st.builds(
    even,
    count=st.integers(1, 300),
    repeat=st.integers(1, 3),
    pick_every=st.integers(1, 42),
    most=st.integers(1, 400),
)
NEARLY = st.builds(
    lambda writes, others: tuple(others.get(n, count) for n, count in enumerate(writes)),
    REGULAR,
    st.dictionaries(st.integers(0, 299), st.integers(0, 4), max_size=6),
)


def value(expression: str, number: int) -> float:
    """What FFmpeg's evaluator gives (libavutil/eval.c): names are those of Python, nearly."""
    names = {
        "N": number,
        "n": number,
        "floor": math.floor,
        "mod": math.fmod,
        "gt": lambda a, b: float(a > b),
        "eq": lambda a, b: float(a == b),
    }
    found: float = eval(expression, {"__builtins__": {}}, names)  # noqa: S307 - made here
    return found


@given(st.one_of(IRREGULAR, REGULAR, NEARLY))
def test_a_picture_goes_where_those_before_it_end(writes: tuple[int, ...]) -> None:
    expression = slot(writes)
    before = accumulate(writes, initial=0)

    for number, (place, _) in enumerate(zip(before, writes, strict=False)):
        assert value(expression, number) == place


@given(st.one_of(IRREGULAR, REGULAR, NEARLY))
def test_what_is_written_is_what_the_plan_writes(writes: tuple[int, ...]) -> None:
    expression = written(writes, "n")

    for number, count in enumerate(writes):
        assert (1 if expression is None else value(expression, number)) == (count > 0)


@pytest.mark.parametrize(
    ("writes", "place", "kept"),
    [
        ((1,) * 450, "N", None),
        ((2,) * 30, "2*N", None),
        (even(3600, 1, 4, 900), "floor(N/4)+gt(mod(N,4),0)", "eq(mod(n,4),0)"),
        ((1, 1, 3, 1, 1, 0, 1), "N+2*gt(N,2)-gt(N,5)", "1-eq(n,5)"),
    ],
    ids=["as it is", "repeated", "thinned", "variable"],
)
def test_expressions_are_short(writes: tuple[int, ...], place: str, kept: str | None) -> None:
    assert (slot(writes), written(writes, "n")) == (place, kept)


def test_a_window_of_many_pictures_fits_on_a_command_line() -> None:
    """Linux takes words of 128 KiB; 15 s of 960 fps with a picture missing here and there."""
    writes = list(even(14_400, 1, 16, 900))
    for n in range(0, 14_400, 40):
        writes[n] = 2

    assert len(slot(writes)) + len(written(writes, "n") or "") < 32_000


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg here")
@pytest.mark.parametrize("others", [7, 100, 101, 2000])
def test_ffmpeg_itself_puts_each_picture_where_the_plan_has_it(others: int) -> None:
    """Its evaluator has limits that Python's has not."""
    writes = [1] * 3000
    for n in range(others):
        writes[n * 7919 % len(writes)] = (0, 2, 3)[n % 3]
    kept = written(writes, "n")
    filters = f"settb=1/1000,setpts='{slot(writes)}',select='{kept}'"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=s=16x16:r=1000:d=3"]
    command += ["-vf", filters, "-fps_mode", "passthrough", "-enc_time_base", "1/1000"]

    command += ["-f", "framecrc", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)

    rows = [line.split(",") for line in done.stdout.splitlines() if not line.startswith("#")]
    before = accumulate(writes, initial=0)
    places = [place for place, count in zip(before, writes, strict=False) if count]
    assert [int(row[2]) for row in rows] == places


@given(IRREGULAR)
def test_the_last_picture_that_is_written_stays_as_planned(writes: list[int]) -> None:
    kept = [count for count in writes if count]

    assert last_stay(writes) == (kept[-1] if kept else 0)
    assert last_stay(limited(writes, 0)) == 0
