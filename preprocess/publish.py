"""Results appear under their name complete or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from preprocess.errors import FailureCode, PreparationFailed

_PREFIX = ".clipready-"
_CHUNK = 1 << 20
_FAILURES = {
    errno.ENOSPC: (FailureCode.DISK_FULL, "the disk is full; free some space"),
    errno.EDQUOT: (FailureCode.DISK_FULL, "the disk quota is used up; free some space"),
    errno.EFBIG: (FailureCode.OUTPUT_LIMIT, "the result is larger than this system allows"),
    errno.ENOENT: (FailureCode.TARGET_NOT_WRITABLE, "the folder does not exist; create it"),
    errno.ENOTDIR: (FailureCode.TARGET_NOT_WRITABLE, "its folder is not a folder"),
    errno.EACCES: (FailureCode.TARGET_NOT_WRITABLE, "no permission to write there"),
    errno.EPERM: (FailureCode.TARGET_NOT_WRITABLE, "no permission to write there"),
    errno.EROFS: (FailureCode.TARGET_NOT_WRITABLE, "the file system is read-only"),
    errno.EEXIST: (FailureCode.TARGET_EXISTS, "it exists already; use --force to replace it"),
    errno.EISDIR: (FailureCode.TARGET_NOT_WRITABLE, "there is a folder of that name"),
    errno.ENAMETOOLONG: (FailureCode.TARGET_NOT_WRITABLE, "the name is too long"),
}


@contextmanager
def target_errors(target: Path) -> Iterator[None]:
    """Turn what the system says about writing *target* into `PreparationFailed`."""
    try:
        yield
    except OSError as error:
        known = _FAILURES.get(error.errno or 0)
        if known is None:
            code, advice = FailureCode.TARGET_NOT_WRITABLE, error.strerror or str(error)
        else:
            code, advice = known
        msg = f"cannot write {target.name}: {advice}"
        raise PreparationFailed(code, msg) from error


def check_target(target: Path, source: Path, *, force: bool) -> None:
    """Refuse early what publishing would refuse late.

    Raises:
        PreparationFailed: the target is the input, exists, or cannot be written.
    """
    with target_errors(target):
        if target.exists() and source.exists() and target.samefile(source):
            msg = f"{target.name} is the input itself; choose another output"
            raise PreparationFailed(FailureCode.TARGET_IS_INPUT, msg)
        if target.is_dir():
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if os.path.lexists(target) and not force:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        if not target.parent.is_dir():
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """A hidden file of ours beside *target*; gone at the end unless it was published.

    It is locked while we live, so that the next run in the folder can tell a dead one's.
    """
    with target_errors(target):
        sweep(target.parent)
        path = target.with_name(f"{_PREFIX}{secrets.token_hex(8)}{target.suffix or '.tmp'}")
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        os.close(fd)


def sweep(folder: Path) -> None:
    """Remove temporaries whose owners are gone."""
    with suppress(OSError):
        for path in folder.glob(f"{_PREFIX}*"):
            with suppress(OSError):
                _remove_if_dead(path)


def _remove_if_dead(path: Path) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
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


def publish(temporary_path: Path, target: Path, *, force: bool) -> None:
    """Give a finished temporary its name, atomically.

    Raises:
        PreparationFailed: somebody else took the name meanwhile (without *force*).
    """
    with target_errors(target):
        if force:
            temporary_path.replace(target)
        else:
            _rename_without_clobbering(temporary_path, target)
        _sync_folder(target.parent)


def _rename_without_clobbering(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise
        # No hard links here (FAT, some network disks): an exclusive create reserves the name.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC))
        source.replace(target)
    else:
        source.unlink()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EROFS):
            raise
    finally:
        os.close(fd)
