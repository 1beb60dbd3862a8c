"""Both engines on one plan, and what is different about their results; as a script, the summary.

    python -m tests.differential.comparing [FOLDER...]

FOLDERs hold clips (default: those of the corpus). Judged by our own probe, and by FFmpeg's
programs: counts and times by ffprobe, the pictures by the filter ``ssim``.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tempfile
from array import array
from collections import Counter
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures import reading
from preprocess import (
    ClipPlan,
    Engine,
    InputRejected,
    Intent,
    Mode,
    Options,
    PreparationFailed,
    Report,
    Route,
    Short,
    Target,
    facts_data,
    plan_file,
    process_file,
)

if TYPE_CHECKING:
    from fractions import Fraction

# The corpus is shared between projects and stands beside this one.
CORPUS = Path(os.environ.get("CLIPREADY_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
SSIM = 0.99
"""Of the two results; both are lossy encodes of the same pictures."""
FRAME_S = 1024 / 44_100 + 1 / 1000
"""Of AAC, and what a resampler adds."""
_UNLIKE = {
    # Of another build of x264 and AAC, or of the bytes they make.
    *("size_bytes", "bytes_read", "bit_rate_bps", "audio_bit_rate_bps", "keyframes"),
    *("boundaries_s", "has_b_frames"),
    # Compared by their own means, to within a frame.
    *(
        "audio_start_s",
        "audio_priming_s",
        "audio_duration_s",
        "audio_media_duration_s",
        "audio_spans",
        "from_header",
    ),
}
INTENTS = (Intent(short=Short.HOLD), Intent(mode=Mode.EXTEND, short=Short.LOOP))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What became of one clip by both engines."""

    verdict: str
    """``same``, ``different``, ``unfit`` (the program is not for it), or why there is nothing."""
    differences: tuple[str, ...] = ()
    ssim: float | None = None
    lag_s: float | None = None
    """Of the sound of one result behind the other's."""


def compared(source: Path, intent: Intent, folder: Path) -> Compared:
    """Prepare *source* by both engines, if it has to be encoded, and compare the results."""
    try:
        decision = plan_file(source, intent=intent)
    except (InputRejected, PreparationFailed) as trouble:
        return Compared(verdict=f"not planned: {type(trouble).__name__}")
    if not isinstance(decision, ClipPlan):
        return Compared(verdict="no clip, or rejected")
    if decision.route is not Route.ENCODE:
        return Compared(verdict=f"no encode: {decision.route.label}")
    ours, theirs = (_prepared(source, intent, folder, engine) for engine in Engine)
    if theirs.error is not None and theirs.error.code == "binary_unfit":
        return Compared(verdict="unfit", differences=(theirs.error.message,))
    if ours.error is not None or theirs.error is not None:
        said = tuple(
            f"{r.error.code}: {r.error.message}" if r.error else "made" for r in (ours, theirs)
        )
        codes = {report.error.code if report.error else None for report in (ours, theirs)}
        same = len(codes) == 1
        return Compared(verdict="same refusal" if same else "different", differences=said)
    return _differences(ours, theirs)


def _prepared(source: Path, intent: Intent, folder: Path, engine: Engine) -> Report:
    target = Target(output=folder / f"{engine}.mp4")
    # One thread: with more the results of x264 differ from one time to the next.
    options = Options(engine=engine, force=True, threads=1)
    return process_file(source, intent=intent, target=target, options=options)


def _differences(ours: Report, theirs: Report) -> Compared:
    assert ours.output is not None
    assert theirs.output is not None
    found = [*_facts(ours, theirs)]
    times = [_times(report.output) for report in (ours, theirs) if report.output]
    if times[0] != times[1]:
        found.append(f"{len(times[0])} and {len(times[1])} time stamps, not the same")
    ssim = similarity(ours.output, theirs.output)
    if ssim < SSIM:
        found.append(f"SSIM {ssim:.4f}")
    lag_s, said = sound_differences(ours.output, theirs.output)
    found += said
    verdict = "different" if found else "same"
    return Compared(verdict=verdict, differences=tuple(found), ssim=ssim, lag_s=lag_s)


def _facts(ours: Report, theirs: Report) -> list[str]:
    assert ours.output_facts is not None
    assert theirs.output_facts is not None
    one, other = facts_data(ours.output_facts), facts_data(theirs.output_facts)
    keys = [key for key in one if key not in _UNLIKE and one[key] != other[key]]
    return [f"{key}: {one[key]} and {other[key]}" for key in keys]


def _times(path: Path) -> list[Fraction]:
    rows = reading.packet_table(path)
    return sorted(row.pts * row.time_base for row in rows if row.pts is not None)


def similarity(one: Path, other: Path) -> float:
    """SSIM of two clips, of all planes and pictures."""
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-i", str(one), "-i", str(other)]
    command += ["-lavfi", "[0:v][1:v]ssim", "-f", "null", "-"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    match = re.search(r"SSIM .*All:([\d.]+|inf)", said)
    assert match is not None, said[-500:]
    return float(match[1])


_RATE = 8000
_MOST_LAG = _RATE * 3 // 100


def sound_differences(one: Path, other: Path) -> tuple[float | None, list[str]]:
    """How late the sound of *other* is, in s, and all that is different about it, in words."""
    first, second = _channels(one), _channels(other)
    if not first[0] and not second[0]:
        return None, []
    found = []
    lengths = [len(channels[0]) for channels in (first, second)]
    if abs(lengths[0] - lengths[1]) > FRAME_S * _RATE:
        found.append("sound of {:.3f} and {:.3f} s".format(*(n / _RATE for n in lengths)))
    lags = [_lag(first[0], second[0], at) for at in (0, min(lengths) - _SPAN)]
    lag_s = max(lags, key=abs) / _RATE
    if abs(lag_s) > FRAME_S:
        found.append(f"sound {lag_s:.3f} s apart")
    for name, ours, theirs in zip(("left", "right"), first, second, strict=True):
        found += [f"{name}: {said}" for said in _heard(ours, theirs, lags[0])]
    return lag_s, found


def _channels(path: Path) -> tuple[array[int], array[int]]:
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a:0?", "-ac", "2"]
    command += ["-ar", str(_RATE), "-f", "s16le", "-"]
    both = array("h", subprocess.run(command, check=False, capture_output=True).stdout)
    return both[::2], both[1::2]


def _heard(one: array[int], other: array[int], lag: int) -> list[str]:
    """What is different about one channel, put side by side: how loud it is, and what it is."""
    pair = one[max(0, -lag) :], other[max(0, lag) :]
    count = min(map(len, pair))
    one, other = pair[0][:count], pair[1][:count]
    powers = [sum(map(mul, each, each)) / max(1, count) for each in (one, other)]
    if max(powers) < _SILENCE:
        return []
    if min(powers) < _SILENCE / 16:
        return ["silent in one"]
    found = []
    louder_db = 10 * math.log10(powers[1] / powers[0])
    if abs(louder_db) > _LEVEL_DB:
        found.append(f"{louder_db:+.1f} dB")
    alike = sum(map(mul, one, other)) / count / math.sqrt(powers[0] * powers[1])
    if alike < _ALIKE:
        found.append(f"correlation {alike:.2f}")
    return found


_RATE = 8000
_MOST_LAG = _RATE * 3 // 100
_SPAN = 2 * _RATE + 2 * _MOST_LAG
"""Samples that are compared at each end."""
_SILENCE = 30**2
_LEVEL_DB = 0.5
"""Two versions of one AAC encoder are 0.1 apart."""
_ALIKE = 0.9


def _lag(one: array[int], other: array[int], at: int) -> int:
    """By how many samples *other* is late from sample *at* on, by where the two agree most."""
    at = max(0, at)
    one, other = one[at : at + _SPAN], other[at : at + _SPAN]
    count = min(len(one), len(other)) - 2 * _MOST_LAG
    if count <= 0:
        return 0
    middle = one[_MOST_LAG : _MOST_LAG + count]
    lags = sorted(range(-_MOST_LAG, _MOST_LAG + 1), key=abs)
    return max(lags, key=lambda lag: sum(map(mul, middle, other[_MOST_LAG + lag :])))


def main() -> None:
    """Print a line for each clip and intent, then how many ended how."""
    ends: Counter[str] = Counter()
    similar: list[float] = []
    folders = sys.argv[1:] or [str(CORPUS / name) for name in ("hostile", "video")]
    for source in (path for name in folders for path in sorted(Path(name).iterdir())):
        for intent in INTENTS:
            with tempfile.TemporaryDirectory() as folder:
                result = compared(source, intent, Path(folder))
            ends[result.verdict] += 1
            if result.ssim is not None:
                similar.append(result.ssim)
            if result.verdict in {"same", "different", "unfit", "same refusal"}:
                mode = "tail" if intent.mode is Mode.EXTEND else "head"
                print(f"{source.name}\t{mode}\t{_line(result)}", flush=True)  # noqa: T201
    for verdict, count in ends.most_common():
        print(f"{count:5} {verdict}")  # noqa: T201
    if similar:
        print(f"lowest SSIM {min(similar):.4f}, mean {sum(similar) / len(similar):.4f}")  # noqa: T201


def _line(result: Compared) -> str:
    ssim = "" if result.ssim is None else f"SSIM {result.ssim:.4f}"
    lag = "" if result.lag_s is None else f"lag {result.lag_s * 1000:+.1f} ms"
    return "\t".join([result.verdict, ssim, lag, "; ".join(result.differences)])


if __name__ == "__main__":
    main()
