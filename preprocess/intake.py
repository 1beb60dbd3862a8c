"""From a path to a descriptor on a regular file that stays the same while it is worked on."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess.errors import InputRejected
from preprocess.plan import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO would block for ever without
_URL = re.compile(r"(https?|ftp|s3|gs):/", re.IGNORECASE)
"""As `Path` leaves them: of two slashes one."""


@dataclass(frozen=True, slots=True)
class Intake:
    """An opened input."""

    path: Path
    fd: int
    identity: tuple[int, int, int, int]
    """Device, inode, size and modification time: the bytes are the same while these are."""

    def check_unchanged(self) -> None:
        """Make sure that nobody wrote to the file meanwhile.

        Raises:
            InputRejected: ``input.changed``.
        """
        measured = None
        if _identity(os.fstat(self.fd)) != self.identity:
            measured = "the file changed while it was read"
        elif self._identity_by_name() != self.identity:
            measured = "the file was replaced or removed while it was read"
        if measured is not None:
            rule = "input.changed"
            fix = "wait until it is written, then try again"
            limit = "a file that stays as it is"
            raise InputRejected([Reason(rule=rule, measured=measured, limit=limit, fix=fix)])

    def _identity_by_name(self) -> tuple[int, int, int, int] | None:
        try:
            return _identity(self.path.stat())
        except OSError:
            return None


_ERRORS = {
    errno.ENOENT: ("input.missing", "no such file", "check the path"),
    errno.ENOTDIR: ("input.missing", "no such file", "check the path"),
    errno.EACCES: ("input.permission", "not readable for this user", "change its permissions"),
    errno.EPERM: ("input.permission", "not readable for this user", "change its permissions"),
    errno.ENXIO: ("input.not_regular", "a socket or device", "give a file"),
    errno.ENAMETOOLONG: ("input.missing", "a name longer than the system allows", "check the path"),
    errno.ELOOP: ("input.missing", "links that lead nowhere", "check the path"),
}


@contextmanager
def open_input(path: str | os.PathLike[str]) -> Iterator[Intake]:
    """Open the regular file at *path* for the length of the context.

    Raises:
        InputRejected: missing, unreadable, or not a regular file.
    """
    fd = _open(path)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            msg = "input.not_regular"
            unnamed = ", which an empty name stands for" if Path(path) == Path() else ""
            raise _rejected(msg, _kind(status.st_mode) + unnamed, "give a file")
        yield Intake(Path(path).absolute(), fd, _identity(status))
    finally:
        os.close(fd)


def _open(path: str | os.PathLike[str]) -> int:
    try:
        return os.open(path, _OPEN_FLAGS)
    except ValueError:  # a NUL in the name, or half a surrogate pair
        refusal = _rejected("input.missing", "a name that no file can have", "check the path")
        raise refusal from None
    except OSError as error:
        rule, measured, fix = _ERRORS.get(
            error.errno or 0, ("input.unreadable", error.strerror or str(error), "check the disk")
        )
        if rule == "input.missing" and _URL.match(str(path)):
            measured, fix = (
                "a URL, where a file is wanted",
                "download it; `submit` alone takes URLs",
            )
        if os.fspath(path) == "-":
            measured, fix = "standard input, which nothing reads twice", "give the name of a file"
        raise _rejected(rule, measured, fix) from error


def _rejected(rule: str, measured: str, fix: str) -> InputRejected:
    return InputRejected([Reason(rule=rule, measured=measured, limit="a readable file", fix=fix)])


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _kind(mode: int) -> str:
    for test, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if test(mode):
            return name
    return "not a file"
