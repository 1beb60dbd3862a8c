"""From whatever medium a request holds to a local regular file."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ErrorCode, SourceError
from pipeline.request import BinaryFile, Medium, is_url, shown

if TYPE_CHECKING:
    from pipeline.fetch import Fetcher
    from pipeline.stores.content import OnBytes

_CHUNK = 1 << 20


async def local_file(
    medium: Medium, target: Path, fetcher: Fetcher, on_progress: OnBytes | None = None
) -> Path:
    """The file that *medium* is: a path is itself, all else is written to the new file *target*.

    A file object is read from where it stands to its end, once, in a thread.

    Raises:
        SourceError: it cannot be had, or not be written. A path is not looked at: that is for
            `preprocess`.
    """
    if isinstance(medium, str | os.PathLike) and not is_url(medium):
        return Path(medium)
    try:
        if isinstance(medium, str | os.PathLike):
            await fetcher.fetch(str(medium), target, on_progress)
        else:
            file = io.BytesIO(medium) if isinstance(medium, bytes) else medium
            await asyncio.to_thread(_drained, file, target, fetcher.max_bytes)
    except OSError as error:
        msg = f"{shown(medium)} cannot be kept in {target.parent}: {error.strerror or error}"
        raise SourceError(ErrorCode.SOURCE_NOT_WRITTEN, msg) from error
    return target


def _drained(file: BinaryFile, target: Path, max_bytes: int) -> None:
    size = 0
    with target.open("xb") as sink:
        while chunk := _read(file):
            size += len(chunk)
            if size > max_bytes:
                msg = f"{shown(file)} holds more than {max_bytes:,} bytes; cut it before"
                raise SourceError(ErrorCode.SOURCE_TOO_LARGE, msg)
            sink.write(chunk)


def _read(file: BinaryFile) -> bytes:
    try:
        chunk = file.read(_CHUNK)
    except (OSError, ValueError) as error:  # a closed one raises ValueError
        msg = f"{shown(file)} cannot be read: {error}"
        raise SourceError(ErrorCode.SOURCE_UNREADABLE, msg) from error
    if not isinstance(chunk, bytes):
        msg = f"{shown(file)} gives {type(chunk).__name__}, not bytes; open it in binary mode"
        raise SourceError(ErrorCode.SOURCE_UNREADABLE, msg)
    return chunk
