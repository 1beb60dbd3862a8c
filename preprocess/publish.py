"""Results appear under their name complete or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import sys
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from preprocess.errors import FailureCode, PreparationFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_PREFIX = ".clipready-"
_OURS = re.compile(re.escape(_PREFIX) + r"[0-9a-f]{16}\.tmp")
_CHUNK = 1 << 20
_FORBIDDEN = "no permission to write there; change it, or choose another folder"
_FAILURES = {
    errno.ENOSPC: (FailureCode.DISK_FULL, "the disk is full; free some space"),
    errno.EDQUOT: (FailureCode.DISK_FULL, "the disk quota is used up; free some space"),
    errno.EFBIG: (FailureCode.OUTPUT_LIMIT, "more than this system allows; take a shorter window"),
    errno.ENOENT: (
        FailureCode.TARGET_NOT_WRITABLE,
        "its folder does not exist or takes no files; create it, or choose another",
    ),
    errno.ENOTDIR: (FailureCode.TARGET_NOT_WRITABLE, "its folder is a file; choose another folder"),
    errno.EACCES: (FailureCode.TARGET_NOT_WRITABLE, _FORBIDDEN),
    errno.EPERM: (FailureCode.TARGET_NOT_WRITABLE, _FORBIDDEN),
    errno.EROFS: (FailureCode.TARGET_NOT_WRITABLE, "read-only file system; choose another folder"),
    errno.EEXIST: (FailureCode.TARGET_EXISTS, "it exists already; use --force to replace it"),
    errno.EISDIR: (FailureCode.TARGET_NOT_WRITABLE, "a folder has that name; choose another"),
    errno.ENAMETOOLONG: (FailureCode.TARGET_NOT_WRITABLE, "its name is too long; shorten it"),
}


@contextmanager
def target_errors(target: Path) -> Iterator[None]:
    """Turn what the system says about writing *target* into `PreparationFailed`."""
    try:
        yield
    except ValueError as error:
        code, advice = FailureCode.TARGET_NOT_WRITABLE, "no file can have this name; choose another"
        msg = f"cannot write {target.name!r}: {advice}"
        raise PreparationFailed(code, msg) from error
    except OSError as error:
        known = _FAILURES.get(error.errno or 0)
        if known is None:
            code, advice = FailureCode.TARGET_NOT_WRITABLE, error.strerror or str(error)
        else:
            code, advice = known
        msg = f"cannot write {target.name}: {advice}"
        raise PreparationFailed(code, msg) from error


def check_target(target: Path, inputs: Sequence[Path], *, force: bool) -> None:
    """Refuse early what publishing would refuse late.

    Raises:
        PreparationFailed: the target is one of *inputs*, exists, or cannot be written.
    """
    with target_errors(target):
        with suppress(FileNotFoundError, NotADirectoryError):
            target.lstat()  # what follows passes over names that no file can have
        if target.exists() and any(x.exists() and target.samefile(x) for x in inputs):
            msg = f"{target.name} is an input of this call; choose another output"
            raise PreparationFailed(FailureCode.TARGET_IS_INPUT, msg)
        if target.is_dir():
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if os.path.lexists(target) and not force:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        if not target.parent.is_dir():
            number = errno.ENOTDIR if os.path.lexists(target.parent) else errno.ENOENT
            raise OSError(number, os.strerror(number))
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """A hidden file of ours beside *target*; gone at the end unless it was published.

    It is locked while we live, so that the next run in the folder can tell a dead one's.
    """
    with target_errors(target):
        sweep(target.parent)
        fd, path = _create_locked(target.parent)
    try:
        yield path
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        os.close(fd)


def _create_locked(folder: Path) -> tuple[int, Path]:
    """Make a temporary and lock it, so that no sweep has it or takes it."""
    while True:
        path = folder / f"{_PREFIX}{secrets.token_hex(8)}.tmp"
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            swept = not path.exists()
        except BlockingIOError:
            swept = True  # as good as: a sweep saw it before it was locked
        except OSError:
            swept = False  # no locks here, so no sweep can take it either
        if not swept:
            return fd, path
        os.close(fd)


def sweep(folder: Path) -> None:
    """Remove temporaries whose owners are gone."""
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                if _OURS.fullmatch(path.name):
                    _remove_if_dead(path)


def _remove_if_dead(path: Path) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    finally:
        os.close(fd)


def copy_into(fd: int, target: Path) -> None:
    """Copy the file behind *fd* into the temporary *target*."""
    offset = 0
    with target_errors(target), target.open("r+b", buffering=0) as sink:
        while chunk := os.pread(fd, _CHUNK, offset):
            view = memoryview(chunk)
            while view:
                view = view[sink.write(view) :]
            offset += len(chunk)


def digest_and_sync(path: Path) -> str:
    """SHA-256 of a finished temporary, which is on the disk afterwards."""
    digest = sha256()
    with target_errors(path), path.open("r+b", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        os.fsync(file.fileno())
    return digest.hexdigest()


def finish_temporary(path: Path, target: Path, *, force: bool = False) -> str:
    """Have a finished temporary on the disk and give it its name; its SHA-256.

    Raises:
        PreparationFailed: it cannot be written, or (without *force*) the name is taken.
    """
    digest = digest_and_sync(path)
    publish([(path, target)], force=force)
    return digest


def publish(finished: Sequence[tuple[Path, Path]], *, force: bool) -> None:
    """Give finished temporaries their names, each atomically, in the given order.

    Raises:
        PreparationFailed: somebody else took a name meanwhile (without *force*). None of the names
            is used then; with *force*, those that are hold the new file.
    """
    with target_errors(finished[0][1]):
        ours = [path.stat() for path, _ in finished]
    try:
        for path, target in finished:
            with target_errors(target):
                if force:
                    path.replace(target)
                else:
                    _rename_without_clobbering(path, target)
    except BaseException:
        if not force:
            _withdraw([target for _, target in finished], ours)
        raise
    for folder in {target.parent for _, target in finished}:
        _sync_folder(folder)


def _withdraw(targets: Sequence[Path], ours: Sequence[os.stat_result]) -> None:
    for target, status in zip(targets, ours, strict=True):
        with suppress(OSError, ValueError):
            if os.path.samestat(target.lstat(), status):
                target.unlink()


def _rename_without_clobbering(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        source.unlink()
        return
    # No hard links here (FAT, some network disks).
    try:
        _rename_exclusively(source, target)
    except OSError as error:
        if error.errno not in _NO_EXCLUSIVE_RENAME:
            raise
    else:
        return
    # Nor that. An exclusive create reserves the name; only now can a kill leave it empty.
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC))
    try:
        source.replace(target)
    except BaseException:
        target.unlink()
        raise


_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)
_NO_EXCLUSIVE_RENAME = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1  # linux/fcntl.h, linux/fs.h


def _rename_exclusively(source: Path, target: Path) -> None:
    """Call renameat2(2), which Python does not offer; OSError (ENOSYS) where there is none."""
    import ctypes  # noqa: PLC0415 - only disks without links need it

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None or sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    names = (os.fsencode(source), os.fsencode(target))
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(target))


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk too, as far as the system lets us: the work is done."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
