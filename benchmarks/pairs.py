"""Timing two ways of doing the same thing, alternately."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took, children included."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Medians of both sides, and of the ratio within each pair."""

    name: str
    against: str
    wanted: str
    ours: Cost
    theirs: Cost
    wall_ratio: float
    cpu_ratio: float
    good: bool | None


HEADING = f"{'work':<34}{'ours':>10}{'theirs':>10}{'wall':>8}{'cpu':>8}  wanted"


def show(pair: Pair) -> None:
    """A line under `HEADING`."""
    mark = {True: "met", False: "MISSED", None: ""}[pair.good]
    print(
        f"{pair.name:<34}{pair.ours.wall_s * 1000:>8.1f}ms{pair.theirs.wall_s * 1000:>8.1f}ms"
        f"{pair.wall_ratio:>8.2f}{pair.cpu_ratio:>8.2f}  {pair.wanted} {mark} (vs {pair.against})",
        flush=True,
    )


def cost_of(work: Callable[[], object]) -> Cost:
    """Run *work* once."""
    before, wall = _cpu(), time.perf_counter()
    work()
    return Cost(wall_s=time.perf_counter() - wall, cpu_s=_cpu() - before)


def _cpu() -> float:
    # Our worker is a living child, which RUSAGE_CHILDREN leaves out until it is reaped.
    usage = os.times()
    return (
        usage.user + usage.system + usage.children_user + usage.children_system + _living_workers()
    )


def _living_workers() -> float:
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for child in _children(os.getpid()):
        try:
            with open(f"/proc/{child}/stat", encoding="ascii") as file:  # noqa: PTH123
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def _children(pid: int) -> list[int]:
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:  # noqa: PTH123
                found += [int(word) for word in file.read().split()]
        except OSError:
            continue
    return found


def compare(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    against: str,
    wanted: str,
    at_most: float | None,
    runs: int,
) -> Pair:
    """Run both sides *runs* times, alternating, after one unmeasured run each."""
    ours()
    theirs()
    pairs = [(cost_of(ours), cost_of(theirs)) for _ in range(runs)]
    wall_ratio = statistics.median(a.wall_s / b.wall_s for a, b in pairs)
    return Pair(
        name=name,
        against=against,
        wanted=wanted,
        ours=_median([a for a, _ in pairs]),
        theirs=_median([b for _, b in pairs]),
        wall_ratio=wall_ratio,
        cpu_ratio=statistics.median(a.cpu_s / max(b.cpu_s, 0.001) for a, b in pairs),
        good=None if at_most is None else wall_ratio <= at_most,
    )


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        wall_s=statistics.median(c.wall_s for c in costs),
        cpu_s=statistics.median(c.cpu_s for c in costs),
    )


def command(*arguments: str) -> Callable[[], object]:
    """A program as one side of a pair.

    Raises:
        subprocess.CalledProcessError: when run, if it fails.
    """

    def run() -> None:
        subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    return run


def ffmpeg() -> str:
    """The newest ffmpeg there is: imageio-ffmpeg's binary, else the system's."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # noqa: PLC0415 - an extra
    except ImportError:
        return shutil.which("ffmpeg") or "ffmpeg"
    return str(get_ffmpeg_exe())
