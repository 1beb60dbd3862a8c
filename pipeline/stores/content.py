"""What is put into a store, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess import Prepared, endings

if TYPE_CHECKING:
    from hashlib import _Hash

OnBytes = Callable[[int, int | None], None]
"""Bytes so far, and how many there will be if that is known."""
_MEDIA_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "jpeg": "image/jpeg",
    "png": "image/png",
}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A file that the provider can fetch."""

    url: str = field(repr=False)
    """May be signed, and then is a key to the file: not for logs."""
    expires_at: datetime | None
    """When ``url`` ends; ``None``: not known, or never."""
    key: str
    """Its name in the store."""
    reused: bool
    """It was there already, and nothing was sent."""
    head_ok: bool
    """``False``: ``url`` answers GET alone, and HEAD with 403, as the method is part of what is
    signed. A fetcher that asks HEAD first has to go on to GET."""


def media_type(container: str) -> str:
    """The type that files of a kind are stored with."""
    return _MEDIA_TYPES.get(container, "application/octet-stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A prepared file as bytes with a name and a type."""

    path: Path
    sha256: str
    size_bytes: int
    extension: str
    media_type: str

    @property
    def name(self) -> str:
        """By content: the same bytes have the same name."""
        return f"{self.sha256}.{self.extension}"


async def content_of(prepared: Prepared) -> Content:
    """Look a prepared file up, and hash it unless that was done.

    Raises:
        TypeError: it is no `Prepared`: only what was verified is sent.
    """
    if not isinstance(prepared, Prepared):
        msg = f"a store takes what prepare_file returned, not a {type(prepared).__name__}"
        raise TypeError(msg)
    container = prepared.facts.container or ""
    digest = prepared.sha256
    if digest is None:  # kept where it was
        digest = await asyncio.to_thread(_digest, prepared.path)
    return Content(
        path=prepared.path,
        sha256=digest,
        size_bytes=(await asyncio.to_thread(prepared.path.stat)).st_size,
        extension=endings(container)[0],
        media_type=media_type(container),
    )


def _digest(path: Path) -> str:
    digest: _Hash = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
