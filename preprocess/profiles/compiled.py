"""Bundled profiles in the form they have after all checks, so that a start need not repeat them.

``python -m preprocess.profiles.compiled`` writes one beside each profile file. It is used only as
long as the file is, byte for byte, the one it was made from; a test sees to it that it is.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess import wire
from preprocess.profiles.model import Profile

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SUFFIX = ".compiled.json"


def written(profile: Profile, source: str) -> str:
    """The compiled form of *profile*, which was read from the text *source*."""
    data = {"sha256": _digest(source), "profile": wire.dump(profile)}
    return json.dumps(data, ensure_ascii=False, indent=0, sort_keys=True) + "\n"


def read(file: Traversable, source: str) -> Profile | None:
    """The profile in *file*; ``None`` if there is none, or it was made from another *source*."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return wire.load(Profile, data["profile"]) if data["sha256"] == _digest(source) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _main() -> None:
    from preprocess.profiles.parse import parse_profile  # noqa: PLC0415 - only for this

    for file in sorted(Path(__file__).parent.glob("*.toml")):
        text = file.read_text(encoding="utf-8")
        target = file.with_name(file.stem + SUFFIX)
        target.write_text(written(parse_profile(text, file=file.name), text), encoding="utf-8")


if __name__ == "__main__":
    _main()
