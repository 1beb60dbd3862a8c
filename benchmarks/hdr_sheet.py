"""``python -m benchmarks.hdr_sheet SHEET.png FILE...``: HDR as ours, untreated, and by zscale.

One row a file: what `process_file` makes of it, the same picture with its signal taken for SDR,
and ffmpeg's ``zscale,tonemap`` as people write it and with diffuse white at 203 cd/m2.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageOps

from benchmarks.pairs import ffmpeg
from preprocess import Intent, Options, Short, Target, process_file

if TYPE_CHECKING:
    from preprocess import Report

_CELL, _TEXT_PX, _GAP_PX = (480, 360), 16, 4
_GROUND, _INK, _PAPER = (96, 96, 96), (0, 0, 0), (255, 255, 255)
_RGB = "scale=in_color_matrix=bt709:in_range=limited:out_range=full,format=rgb24"


def tone_mapped(white_cd_m2: int, operator: str) -> str:
    """The filters that make SDR of HDR with zimg, of a picture that has its size."""
    return (
        f"zscale=t=linear:npl={white_cd_m2},format=gbrpf32le,zscale=p=bt709,"
        f"tonemap={operator}:desat=0,zscale=t=bt709:m=bt709:r=limited,format=yuv420p"
    )


_COLUMNS = {
    "ours": "",
    "untreated": "format=gbrp",
    "zscale npl=100, hable": tone_mapped(100, "hable"),
    "zscale npl=203, mobius": tone_mapped(203, "mobius"),
}


def main() -> int:
    """Write the sheet; files that become nothing are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hdr_sheet")
    parser.add_argument("sheet", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--at", type=float, default=0.0, help="second of the clip (default 0)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = [row for path in arguments.files if (row := _row(path, arguments.at, Path(scratch)))]
    width, height = rows[0].size
    sheet = Image.new("RGB", (width, height * len(rows)), _PAPER)
    for n, row in enumerate(rows):
        sheet.paste(row, (0, n * height))
    sheet.save(arguments.sheet)
    print(f"{arguments.sheet}: {len(rows)} of {len(arguments.files)}")
    return 0


def _row(path: Path, at_s: float, scratch: Path) -> Image.Image | None:
    report = process_file(
        path,
        intent=Intent(short=Short.HOLD),
        target=Target(directory=scratch),
        options=Options(force=True),
    )
    if report.output is None:
        print(f"{path.name}: {report.error.code if report.error else report.status}")
        return None
    width, height = _CELL[0] + _GAP_PX, _CELL[1] + _TEXT_PX + _GAP_PX
    row = Image.new("RGB", (len(_COLUMNS) * width, height), _PAPER)
    write = ImageDraw.Draw(row)
    for n, (name, filters) in enumerate(_COLUMNS.items()):
        shown = _picture(report.output if name == "ours" else path, at_s, filters)
        cell = ImageOps.pad(shown, _CELL, Image.Resampling.LANCZOS, color=_GROUND)
        row.paste(cell, (n * width, _TEXT_PX))
        write.text((n * width + 2, 1), name if n else f"{name}: {_caption(path, report)}", _INK)
    return row


def _picture(path: Path, at_s: float, filters: str) -> Image.Image:
    small = f"scale={_CELL[0]}:{_CELL[1]}:force_original_aspect_ratio=decrease"
    even = f"{small}:force_divisible_by=2:flags=area"
    chain = ",".join(step for step in (even, filters, _RGB) if step)
    command = [ffmpeg(), "-v", "error", "-nostdin", "-ss", f"{at_s:g}", "-i", str(path)]
    command += ["-vf", chain, "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"]
    done = subprocess.run(command, check=True, capture_output=True)
    return Image.open(io.BytesIO(done.stdout)).convert("RGB")


def _caption(path: Path, report: Report) -> str:
    said = [reason.measured for reason in report.reasons if reason.rule == "video.hdr"]
    return f"{path.name}, {said[0] if said else 'SDR'}"


if __name__ == "__main__":
    sys.exit(main())
