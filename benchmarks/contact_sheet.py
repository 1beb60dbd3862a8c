"""``python -m benchmarks.contact_sheet SHEET.png FILE...``: inputs beside what becomes of them."""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

import pillow_heif
from PIL import Image, ImageCms, ImageDraw, ImageOps

from preprocess import Fit, Intent, Options, Report, Role, Target, process_file

pillow_heif.register_heif_opener()

_CELL, _TEXT_PX, _COLUMNS = (240, 180), 28, 4
_GROUND, _INK, _PAPER = (96, 96, 96), (0, 0, 0), (255, 255, 255)
_SRGB = ImageCms.createProfile("sRGB")


def main() -> int:
    """Write the sheet; files that become nothing are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contact_sheet")
    parser.add_argument("sheet", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--fit", type=Fit, default=None, choices=list(Fit))
    parser.add_argument("--role", type=Role, default=Role.FIRST_FRAME)
    arguments = parser.parse_args()
    intent = Intent(role=arguments.role, fit=arguments.fit)
    with tempfile.TemporaryDirectory() as scratch:
        rows = [row for path in arguments.files if (row := _row(path, intent, Path(scratch)))]
    _sheet(rows).save(arguments.sheet)
    print(f"{arguments.sheet}: {len(rows)} of {len(arguments.files)}")
    return 0


def _row(path: Path, intent: Intent, scratch: Path) -> Image.Image | None:
    """Input, output and what was done."""
    report = process_file(
        path, intent=intent, target=Target(directory=scratch), options=Options(force=True)
    )
    if report.output is None:
        print(f"{path.name}: {report.error.code if report.error else report.status}")
        return None
    width, height = _CELL
    row = Image.new("RGB", (2 * width + 8, height + _TEXT_PX), _PAPER)
    for n, shown in enumerate((_as_seen(path), _as_seen(report.output))):
        cell = ImageOps.pad(shown, _CELL, Image.Resampling.LANCZOS, color=_GROUND)
        row.paste(cell, (n * (width + 4), _TEXT_PX))
    ImageDraw.Draw(row).multiline_text((2, 1), _caption(path, report), fill=_INK, spacing=1)
    return row


def _as_seen(path: Path) -> Image.Image:
    """As a viewer with colour management shows it, on white."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        profile = opened.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value / 257).convert("L")
    if profile and image.mode in ("RGB", "L", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            image = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB") or image
        except (OSError, ImageCms.PyCMSError) as error:
            print(f"{path.name}: profile not shown, {error}")
    ground = Image.new("RGBA", image.size, (*_PAPER, 255))
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _caption(path: Path, report: Report) -> str:
    plan = report.plan
    if plan is None:
        return path.name
    size = f"{plan.expected.width_px}x{plan.expected.height_px}"
    rules = ", ".join(reason.rule.removeprefix("image.") for reason in plan.reasons)
    return f"{path.name}\n{plan.route.label} {size}: {rules}"[:150]


def _sheet(rows: list[Image.Image]) -> Image.Image:
    width, height = 2 * _CELL[0] + 8, _CELL[1] + _TEXT_PX
    lines = -(-len(rows) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * (width + 8), lines * (height + 8)), _PAPER)
    for n, row in enumerate(rows):
        sheet.paste(row, (n % _COLUMNS * (width + 8), n // _COLUMNS * (height + 8)))
    return sheet


if __name__ == "__main__":
    sys.exit(main())
