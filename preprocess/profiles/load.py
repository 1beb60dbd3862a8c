"""Finds profiles: the bundled ones by name, any other by path."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess.errors import ProfileInvalid
from preprocess.profiles import compiled

if TYPE_CHECKING:
    from os import PathLike

    from preprocess.profiles.model import Profile

_SUFFIX = ".toml"
# A profile is some ten kB; what is a hundred times that is another file, named by mistake.
_MAX_BYTES = 1_000_000


def profile_names() -> tuple[str, ...]:
    """The bundled profiles, sorted."""
    folder = resources.files(__package__)
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load_profile(name_or_path: str | PathLike[str]) -> Profile:
    """The profile of that name, or the one in that file.

    What contains a slash or ends in ``.toml`` is a path. Bundled profiles are read once; a file
    is read anew each time.

    Raises:
        LookupError: no bundled profile has this name.
        ProfileInvalid: the file cannot be read or contradicts itself.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, str) and "/" not in text and not text.endswith(_SUFFIX):
        return _bundled(text)
    return _parsed(_read(Path(name_or_path)), file=text)


@lru_cache
def _bundled(name: str) -> Profile:
    known = profile_names()
    if name not in known:
        msg = f"no profile is named {name!r}; there is {', '.join(known)}, or give a .toml file"
        raise LookupError(msg)
    folder = resources.files(__package__)
    text = folder.joinpath(name + _SUFFIX).read_text(encoding="utf-8")
    ready = compiled.read(folder.joinpath(name + compiled.SUFFIX), text)
    return ready or _parsed(text, file=name + _SUFFIX)


def _parsed(text: str, *, file: str) -> Profile:
    # Here, because pydantic alone takes longer than all else that comes before a probe.
    from preprocess.profiles.parse import parse_profile  # noqa: PLC0415

    return parse_profile(text, file=file)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        msg = f"{path}:1: cannot be read: {error.strerror}"
        raise ProfileInvalid(msg) from error
    if len(raw) > _MAX_BYTES:
        msg = f"{path}:1: is over {_MAX_BYTES} bytes; a profile is far smaller"
        raise ProfileInvalid(msg)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        msg = f"{path}:{line}: is not UTF-8"
        raise ProfileInvalid(msg) from error
