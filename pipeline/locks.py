"""A lock that its holder's death releases, whatever kills it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def trying(path: Path) -> Iterator[bool]:
    """Hold the lock *path* for the block, if nobody else does; whether we do.

    The file goes when its holder is done. Not for network disks, where such locks may mean nothing.
    """
    fd = _locked(path)
    if fd is None:
        yield False
        return
    try:
        yield True
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        os.close(fd)


def _locked(path: Path) -> int | None:
    while True:
        fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        # Its last holder may have removed the file between our two calls.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), path.stat()):
                return fd
        os.close(fd)


@contextmanager
def waiting(path: Path) -> Iterator[None]:
    """Hold the lock *path* for the block, which has to be short, once nobody else does."""
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
