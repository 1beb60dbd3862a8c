"""One child process: how it is started, what it inherits, and how it is brought to its end.

A child gets its end of the socket pair, the reading end of the lifeline, a file for stderr, a
session of its own, and next to no environment. Nothing here knows what is said over the socket.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from preprocess.worker import failures
from preprocess.worker.protocol import Channel

_STDERR_TAIL_BYTES: Final = 16_384
"""Room for the command of a program that was killed with the worker, and its last words."""
# SIGKILL to gone took 28 ms with 1 GB resident (measured 2026-11). Longer means the kernel waits
# for a device; the caller then goes on, and subprocess collects the child when it can.
_COLLECT_S: Final = 2.0
_POLL_S: Final = 0.001
_INHERITED: Final = (
    # Where an interpreter was built to be found only with these, a child would not start without.
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME"),
    # Where the system's own folder for temporary files cannot be written.
    "TMPDIR",
    # Which graphics card and driver an encoder of the second engine takes.
    *("CUDA_VISIBLE_DEVICES", "LIBVA_DRIVER_NAME", "LIBVA_DRIVERS_PATH"),
)
_PACKAGE_PARENT: Final = str(Path(__file__).absolute().parents[2])

_live: weakref.WeakSet[Process] = weakref.WeakSet()
# Held over starting and, by the handlers at the end of this module, over os.fork(): a copy of the
# descriptors that only the forked child knows of would keep a worker alive after our death.
_start_lock = threading.RLock()


class Process:
    """A started child. `kill` from any thread; everything else is for its owner."""

    def __init__(self, module: str) -> None:
        """Start ``python -m module SOCKET LIFELINE``, without waiting until it is ready.

        Raises PreparationFailed (WORKER_DIED) if the system does not let us.
        """
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._ended = False
        self._status_lost = False
        self._closed = False
        try:
            with _start_lock:
                self._start(module)
                _live.add(self)
        except OSError as exc:
            raise failures.not_started(exc, sys.executable) from exc

    @property
    def pid(self) -> int:
        """The id of the process, and of its group."""
        return self._popen.pid

    def is_ours(self) -> bool:
        """Whether it can still be used here: not closed, and not inherited over ``os.fork()``."""
        return not self._closed and self._owner == os.getpid()

    def has_ended(self) -> bool:
        """Whether it is dead. Does not collect it, so that the id stays ours for `kill`."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._popen.poll() is not None
        try:
            options = os.WEXITED | os.WNOWAIT | os.WNOHANG
            return os.waitid(os.P_PID, self.pid, options) is not None
        except ChildProcessError:  # collected by a host that ignores SIGCHLD or waits for all
            self._status_lost = True
            return True

    def kill(self) -> None:
        """Send SIGKILL to the process and its children, and do not wait."""
        if self._owner != os.getpid():
            return
        with self._lock:
            if not self._ended:
                # EPERM: macOS says so of a group that has only dead members.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)

    def end(self, *, grace_s: float = 0.0) -> int | None:
        """Kill it unless it ends by itself in time, and collect it.

        Returns its status (``-signal`` or exit code); None if somebody else collected it, or the
        kernel does not let go of it.
        """
        if self._owner != os.getpid():
            return None
        give_up = time.monotonic() + grace_s
        while time.monotonic() < give_up and not self.has_ended():
            time.sleep(_POLL_S)
        with self._lock:
            if not self._ended:
                self.kill()  # even if it is dead already: it may have children
                self._ended = True
                with suppress(subprocess.TimeoutExpired):
                    self._popen.wait(_COLLECT_S)
            return None if self._status_lost else self._popen.returncode

    def close(self) -> None:
        """End it and close what belongs to it; idempotent."""
        self.end()
        self._close_descriptors()

    def stderr_tail(self) -> str | None:
        """Return the end of what it wrote to stderr since `clear_stderr`, None if nothing."""
        start = max(0, os.fstat(self._stderr).st_size - _STDERR_TAIL_BYTES)
        return failures.printable(os.pread(self._stderr, _STDERR_TAIL_BYTES, start)) or None

    def clear_stderr(self) -> None:
        """Forget what was written so far; warnings of a long life must not add up."""
        if os.fstat(self._stderr).st_size:
            os.ftruncate(self._stderr, 0)

    def _start(self, module: str) -> None:
        with ExitStack() as passed, ExitStack() as kept:
            ours, theirs = socket.socketpair()
            kept.callback(ours.close)
            passed.callback(theirs.close)
            lifeline, line = os.pipe()
            kept.callback(os.close, line)
            passed.callback(os.close, lifeline)
            self._stderr = _anonymous_file()
            kept.callback(os.close, self._stderr)
            self._popen = self._spawn(module, theirs.fileno(), lifeline)
            self.channel = Channel(ours)
            self._descriptors = kept.pop_all()

    def _spawn(self, module: str, sock: int, lifeline: int) -> subprocess.Popen[bytes]:
        # -P and -s: neither the current folder nor the user's site packages get in by themselves.
        command = [sys.executable, "-P", "-s", "-m", module, str(sock), str(lifeline)]
        return subprocess.Popen(  # noqa: S603 - our own interpreter, no shell, no user's words
            command,
            pass_fds=(sock, lifeline),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            cwd="/",  # so that it keeps no folder busy
            env=_environment(),
            # Its own session: a Ctrl-C at the terminal is for the caller, who then kills the group.
            start_new_session=True,
        )

    def _close_descriptors(self) -> None:
        self._closed = True
        self._descriptors.close()

    def forget(self) -> None:
        """After ``os.fork()``, in the child: let go of the parent's worker without harming it."""
        self._close_descriptors()
        # Not our child: Popen is not to wait for it, nor to warn that nobody did.
        self._popen.returncode = 0


def _environment() -> dict[str, str]:
    """Say what a worker may know: where modules are, and little else; no keys, no proxies."""
    return {
        "PYTHONPATH": os.pathsep.join(_import_path()),
        "LC_ALL": "C.UTF-8",
        # Each malloc arena reserves 64 MiB of the address space that RLIMIT_AS counts.
        "MALLOC_ARENA_MAX": "2",
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
    }


def _import_path() -> list[str]:
    """Where the caller finds modules, made absolute, with the folder of this package.

    The folder of the caller's script comes last. The caller never imports ``av``; a script of that
    name beside it would otherwise be run by the worker in PyAV's place.
    """
    # Path.exists() raises for what this user may not look at; os.path.exists() says no.
    present = [entry for entry in sys.path if entry and os.path.exists(entry)]  # noqa: PTH110
    paths = [str(Path(entry).absolute()) for entry in dict.fromkeys(present)]
    paths = [path for path in paths if os.pathsep not in path]
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = str(Path(script).absolute().parent) if script else None
    if folder in paths and folder != _PACKAGE_PARENT:
        paths.remove(folder)
        paths.append(folder)
    return paths if _PACKAGE_PARENT in paths else [*paths, _PACKAGE_PARENT]


def _anonymous_file() -> int:
    """Make a file without a name, for appending; RLIMIT_FSIZE bounds it like any other."""
    if sys.platform == "linux":
        fd = os.memfd_create("worker-stderr", os.MFD_CLOEXEC)
    else:
        import tempfile  # noqa: PLC0415 - costs 5 ms

        fd, name = tempfile.mkstemp()
        Path(name).unlink()
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    return fd


def _forget_all() -> None:
    for process in list(_live):
        process.forget()
    _live.clear()
    _start_lock.release()


os.register_at_fork(
    before=_start_lock.acquire,
    after_in_parent=_start_lock.release,
    after_in_child=_forget_all,
)
