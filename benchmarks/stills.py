"""``python -m benchmarks.stills``: images beside Pillow's full decode, as a table."""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pillow_heif
from PIL import Image, ImageChops, ImageOps

from benchmarks.pairs import HEADING, Pair, compare, ffmpeg, show
from preprocess import Intent, Options, Role, Target, probe_file, process_file

pillow_heif.register_heif_opener()

PHOTOS = {"12 MP": (4032, 3024), "24 MP": (6000, 4000), "48 MP": (8064, 6048)}
FRAME = (1280, 720)
_INTENT = Intent(role=Role.FIRST_FRAME, ratio="16:9")
# Share of a side and strength of each octave: detail of every size, about 1.7 bits per pixel.
_OCTAVES = ((256, 90), (64, 60), (16, 30), (4, 12), (1, 3))
_FORMATS = ("jpeg", "png", "webp", "avif", "heif", "gif", "bmp", "tiff")
_PROBE_MS = 2.0
_PEAK_MB = 120
_SSIM = 0.98


def main() -> int:
    """Measure and print; 1 if something wanted is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stills")
    parser.add_argument("--runs", type=int, default=11, help="pairs for each line (default 11)")
    parser.add_argument("--folder", type=Path, help="where pictures are made and kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(HEADING)
        good = [_decoded_small(folder, Path(scratch), arguments.runs)]
        good += [_probes(folder, arguments.runs), _peak(folder)]
    return 0 if all(good) else 1


def photo(folder: Path, name: str) -> Path:
    """A JPEG like a phone's: detail of every size in colour, 4:2:0."""
    width, height = PHOTOS[name]
    path = folder / f"{name.replace(' ', '')}.jpg"
    if not path.exists():
        bands = [_octaves(width, height) for _ in range(3)]
        image = Image.merge("RGB", bands)
        image.save(path, format="JPEG", quality=88, subsampling="4:2:0")
    return path


def _octaves(width: int, height: int) -> Image.Image:
    total = Image.new("L", (width, height), 128)
    for share, strength in _OCTAVES:
        small = (max(2, width // share), max(2, height // share))
        noise = Image.effect_noise(small, strength)
        grown = noise.resize((width, height), Image.Resampling.BICUBIC)
        total = ImageChops.add(total, grown, 1, -128)
    return total


def _decoded_small(folder: Path, scratch: Path, runs: int) -> bool:
    good = True
    for name in PHOTOS:
        source, ours, theirs = photo(folder, name), scratch / "ours.jpg", scratch / "theirs.jpg"
        pair = _pair(name, source, ours, theirs, runs)
        show(pair)
        alike = _ssim(ours, theirs)
        print(f"  SSIM against the full decode {alike:.4f} (wanted >= {_SSIM})")
        good = good and bool(pair.good) and alike >= _SSIM
    return good


def _pair(name: str, source: Path, ours: Path, theirs: Path, runs: int) -> Pair:
    return compare(
        f"{name} JPEG to 1280x720",
        lambda: process_file(
            source, intent=_INTENT, target=Target(output=ours), options=Options(force=True)
        ),
        lambda: full_decode(source, theirs),
        against="Pillow: full decode, LANCZOS, same quality; ours probes, verifies and syncs too",
        wanted="<= 0.40",
        at_most=0.4,
        runs=runs,
    )


def full_decode(source: Path, target: Path) -> None:
    """What people write, and no less careful."""
    with Image.open(source) as opened:
        image = ImageOps.exif_transpose(opened)
        ImageOps.fit(image, FRAME, Image.Resampling.LANCZOS).save(
            target, format="JPEG", quality=95, subsampling="4:4:4"
        )


def _ssim(one: Path, other: Path) -> float:
    done = subprocess.run(
        [ffmpeg(), "-i", str(one), "-i", str(other), "-lavfi", "ssim", "-f", "null", "-"],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    found = re.search(r"SSIM .*All:([\d.]+)", done.stderr)
    if found is None:
        raise ValueError(done.stderr)
    return float(found[1])


def _probes(folder: Path, runs: int) -> bool:
    """Median of a warm probe for every format."""
    image = Image.open(photo(folder, "12 MP"))
    image.draft("RGB", (2016, 1512))
    taken = {}
    for container in _FORMATS:
        path = folder / f"probe.{container}"
        if not path.exists():
            image.save(path, format=container)
        probe_file(path)
        times = []
        for _ in range(runs * 3):
            start = time.perf_counter()
            probe_file(path)
            times.append(time.perf_counter() - start)
        taken[container] = 1000 * statistics.median(times)
    print("probe, warm: " + ", ".join(f"{name} {ms:.1f}" for name, ms in taken.items()), end="")
    print(f" ms (wanted <= {_PROBE_MS})")
    return max(taken.values()) <= _PROBE_MS


_PEAK_SCRIPT = """
import resource, sys
from pathlib import Path
from preprocess import Intent, Role, Target, probe_file, process_file
from preprocess.worker.client import shutdown
source = Path(sys.argv[1])
probe_file(source)
if len(sys.argv) > 2:
    intent = Intent(role=Role.FIRST_FRAME, ratio="16:9")
    report = process_file(source, intent=intent, target=Target(output=Path(sys.argv[2])))
    assert report.error is None, report.error
shutdown()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def _peak(folder: Path) -> bool:
    """Resident memory that a 48 MP JPEG takes, over a worker that has only looked at its header."""
    source = photo(folder, "48 MP")
    with tempfile.TemporaryDirectory() as scratch:
        idle, busy = (
            _resident([str(source), *more]) for more in ([], [str(Path(scratch) / "out.jpg")])
        )
    print(
        f"48 MP JPEG: {busy - idle:.0f} MB over the idle worker's {idle:.0f} (wanted <= {_PEAK_MB})"
    )
    return busy - idle <= _PEAK_MB


def _resident(arguments: list[str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _PEAK_SCRIPT, *arguments], check=True, capture_output=True, text=True
    )
    return float(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
