"""What a medium is, as a digest: of the bytes that were given, and of what is wanted of them.

Not of the bytes that are sent: an encode on another machine or by another version gives others, now
and then even on the same one (x264 through PyAV 18.1, 2026-11). The same request tried again must
have the same key, so that it is not paid for twice.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import TYPE_CHECKING

from preprocess import Intent

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20
_WHOLE = 256
"""Chunks up to which all of a file is read. Work must not grow with the length of an input."""
_AT_ENDS = 64
_BETWEEN = 64
_NOT_CONTENT = ("profile", "verify")
"""The model is named in the key itself; and how a result was looked at makes no other one."""


def file_digest(path: Path, intent: Intent) -> str:
    """SHA-256 of a file as it was given and of *intent*.

    Of files over 256 MiB the size, 64 MiB at either end, where an index stands, and 64 places
    between are read. Raises `OSError`.
    """
    digest = hashlib.sha256(_wanted(intent))
    with path.open("rb") as file:
        size = file.seek(0, 2)
        digest.update(f"{size}\n".encode())
        for chunk in _chunks(-(-size // _CHUNK)):
            file.seek(chunk * _CHUNK)
            digest.update(file.read(_CHUNK))
    return digest.hexdigest()


def url_digest(url: str) -> str:
    """SHA-256 of a URL that is passed on."""
    return hashlib.sha256(url.encode()).hexdigest()


def _chunks(count: int) -> list[int]:
    """The numbers of the chunks that are read, of *count*."""
    if count <= _WHOLE:
        return list(range(count))
    inner = count - 2 * _AT_ENDS
    between = [_AT_ENDS + inner * n // _BETWEEN for n in range(_BETWEEN)]
    return [*range(_AT_ENDS), *between, *range(count - _AT_ENDS, count)]


def _wanted(intent: Intent) -> bytes:
    """What differs from the defaults, so that a new kind of wish leaves old keys as they are."""
    told = {
        each.name: str(getattr(intent, each.name))
        for each in fields(Intent)
        if each.name not in _NOT_CONTENT and getattr(intent, each.name) != each.default
    }
    return json.dumps(told, sort_keys=True).encode() + b"\n"
