"""Time, bytes and VMAF of x264's settings, to choose ours by.

    python -m benchmarks.presets CLIP...

Six seconds of each clip, scaled down as an encode does it, by the ffmpeg of imageio-ffmpeg.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.pairs import cost_of, ffmpeg
from preprocess import Intent, Plan, Short, plan_file
from preprocess.encoding import CRF, PRESET

YARDSTICK = ("-preset", "veryfast", "-crf", "18")
"""What the field uses; no lower quality than this is wanted."""
_SETTINGS = (
    YARDSTICK,
    ("-preset", "superfast", "-crf", "18"),
    ("-preset", PRESET, "-crf", f"{CRF:g}"),
    ("-preset", "superfast", "-crf", "20"),
)
_VMAF = re.compile(r"VMAF score: ([\d.]+)")


def main(names: list[str]) -> None:
    """Print a line for each clip and setting."""
    print(f"{'clip':32} {'setting':30} {'cpu s':>6} {'MB':>6} {'VMAF':>7}")
    for clip in map(Path, names):
        plan = plan_file(clip, intent=Intent(short=Short.HOLD))
        if not isinstance(plan, Plan):
            raise TypeError(plan.reasons)
        with tempfile.TemporaryDirectory() as folder:
            scaled, coded = Path(folder) / "scaled.y4m", Path(folder) / "coded.mp4"
            size = f"scale={plan.expected.width_px}:{plan.expected.height_px}:flags=bicubic"
            _run("-t", "6", "-i", str(clip), "-vf", size, "-pix_fmt", "yuv420p", str(scaled))
            for setting in _SETTINGS:
                encode = ("-i", str(scaled), "-c:v", "libx264", "-threads", "1", *setting)
                cpu_s = cost_of(partial(_run, *encode, str(coded))).cpu_s
                megabytes = coded.stat().st_size / 1e6
                score = _vmaf(coded, scaled)
                words = " ".join(setting)
                print(f"{clip.name[:32]:32} {words:30} {cpu_s:6.2f} {megabytes:6.2f} {score:7.2f}")


def _run(*words: str) -> str:
    command = [ffmpeg(), "-nostdin", "-y", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def _vmaf(coded: Path, scaled: Path) -> float:
    said = _run("-i", str(coded), "-i", str(scaled), "-lavfi", "libvmaf", "-f", "null", "-")
    found = _VMAF.search(said)
    if found is None:
        msg = "this ffmpeg has no libvmaf: pip install imageio-ffmpeg"
        raise RuntimeError(msg)
    return float(found[1])


if __name__ == "__main__":
    main(sys.argv[1:])
