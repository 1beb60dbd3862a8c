"""What results are called."""

from __future__ import annotations

import os.path
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MARK = "ready"
_ENDINGS = {"jpeg": ("jpg", "jpeg")}


def endings(container: str) -> tuple[str, ...]:
    """Endings of names of such files, the usual one first."""
    return _ENDINGS.get(container, (container,))


def result_name(source: Path, extension: str) -> str:
    """``IMG_0042.MOV`` becomes ``IMG_0042.ready.mp4``."""
    return f"{source.stem}.{_MARK}.{extension}"


def receipt_path(output: Path) -> Path:
    """Where the receipt of *output* stands."""
    return output.with_name(f"{output.name}.receipt.json")


def distinct_stems(sources: Sequence[Path], directory: Path | None) -> list[str]:
    """The stem of each result's name, so that no two results of one call collide.

    Colliding ones get their own extension (``a.mov``), then a short digest of their path; a path
    that is given twice, a number. Folders are compared where they are, whatever links lead there.
    """

    def place(source: Path) -> str:
        return os.path.realpath(directory if directory is not None else source.parent)

    stems = [source.stem for source in sources]
    for distinguish in (_with_extension, _with_digest):
        taken = Counter(
            (place(source), stem.casefold()) for source, stem in zip(sources, stems, strict=True)
        )
        stems = [
            distinguish(source) if taken[(place(source), stem.casefold())] > 1 else stem
            for source, stem in zip(sources, stems, strict=True)
        ]
    seen: Counter[tuple[str, str]] = Counter()
    for n, source in enumerate(sources):
        key = (place(source), stems[n].casefold())
        seen[key] += 1
        if seen[key] > 1:
            stems[n] += f".{seen[key]}"
    return stems


def _with_extension(source: Path) -> str:
    return source.name


def _with_digest(source: Path) -> str:
    digest = sha256(str(source.absolute()).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{source.name}.{digest[:8]}"


def output_path(source: Path, stem: str, directory: Path | None, extension: str) -> Path:
    """Where the result of *source* goes: beside it, or into *directory*."""
    folder = directory if directory is not None else source.parent
    return folder / f"{stem}.{_MARK}.{extension}"
