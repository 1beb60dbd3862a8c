"""What the worker puts on itself before and around parsing: no cores, few descriptors, hard bounds.

Everything here is open to an unprivileged process. It bounds what a bomb can use up and what a
crash can leak; it is no sandbox: code execution in a decoder still has the user's file system.
"""

from __future__ import annotations

import fcntl
import math
import os
import resource
import select
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_OPEN_FILES: Final = 64
"""PyAV decodes with 16; the rest is room for a job's own descriptors."""

# linux/prctl.h
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
# Where close_range(2) is missing, closing goes one by one; SC_OPEN_MAX may be 2**30 in containers.
_HIGHEST_FD: Final = 2**16
_WATCHER_STACK_BYTES: Final = 256 * 2**10


def harden(keep: Iterable[int]) -> list[str]:
    """Give up what parsing does not need; call it first thing, before a thread exists.

    Closes all descriptors but 0 to 2 and ``keep``. Returns the names of the layers in force, so
    that a layer this system does not have is reported, not passed over in silence.
    """
    _close_all_but(keep)
    _default_signals()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    layers = ["process", "no_core", "few_descriptors"]
    if _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        layers.append("no_new_privileges")
    # Not dumpable: no other process of this user may attach or look into /proc/PID.
    if _prctl(_PR_SET_DUMPABLE, 0):
        layers.append("not_dumpable")
    return layers


def die_with_parent(lifeline: int) -> list[str]:
    """See to it that this process group is killed when the other end of ``lifeline`` closes.

    ``lifeline`` is the reading end of a pipe nobody writes to. Returns the names of the layers in
    force. PR_SET_PDEATHSIG would be simpler, but it is tied to the *thread* that started the
    worker: it would kill a warm worker whose starter has merely ended.
    """
    layers = ["watched_by_thread"]
    if sys.platform == "linux":
        _have_kernel_kill(lifeline)
        layers.append("watched_by_kernel")
    # The kernel's way needs neither this thread nor the interpreter's lock, which native code may
    # hold forever; the thread is for systems that do not have it, or (gVisor) pretend to.
    before = threading.stack_size(_WATCHER_STACK_BYTES)
    threading.Thread(target=_watch, args=(lifeline,), name="lifeline", daemon=True).start()
    threading.stack_size(before)
    return layers


@contextmanager
def job_limits(*, cpu_s: int, memory_bytes: int, output_bytes: int) -> Iterator[None]:
    """Bound one job: CPU seconds from now, address space in all, bytes of any one file.

    Only the soft limits move, so that the next job can have more. Crossing them means death by
    SIGXCPU (its default action stays), MemoryError or a failed malloc, and OSError EFBIG (Python
    ignores SIGXFSZ). Raises MemoryError at once if the process itself takes more than the job may:
    threading.Thread.start (CPython 3.11.7) can wait for ever for a thread that ran out of
    memory before its first line.
    """
    if _address_space("VmSize") > memory_bytes:
        text = f"{_address_space('VmSize')} bytes of address space were in use before the job"
        raise MemoryError(text)
    bounds = {
        resource.RLIMIT_CPU: math.ceil(time.process_time() + cpu_s),
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: output_bytes,
    }
    before = {kind: resource.getrlimit(kind)[0] for kind in bounds}
    try:
        for kind, value in bounds.items():
            _set_soft(kind, value)
        yield
    finally:
        for kind, value in before.items():
            _set_soft(kind, value)


def peak_bytes() -> int:
    """The most address space this process ever had; 0 where the system does not tell."""
    return _address_space("VmPeak")


def is_near(peak: int, memory_bytes: int) -> bool:
    """Whether *peak* is three quarters of what is allowed: a malloc may have failed."""
    return 4 * peak > 3 * memory_bytes


def _address_space(name: str) -> int:
    """Bytes of a line of /proc/self/status (proc(5)); 0 where there is none."""
    with suppress(OSError), Path("/proc/self/status").open("rb") as status:
        for line in status:
            if line.startswith(name.encode() + b":"):
                return int(line.split()[1]) << 10
    return 0


def _set_soft(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if resource.RLIM_INFINITY not in (hard, value):
        value = min(value, hard)
    try:
        resource.setrlimit(kind, (value, hard))
    except (ValueError, OSError):
        # macOS has RLIMIT_AS in name only. On Linux a limit that cannot be set is no limit: fail.
        if sys.platform == "linux":
            raise


def _default_signals() -> None:
    """Undo what the caller's process may have handed down: ignored or blocked signals."""
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _close_all_but(keep: Iterable[int]) -> None:
    low = 3
    for fd in sorted(fd for fd in keep if fd >= low):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, _HIGHEST_FD)


def _prctl(option: int, value: int) -> bool:
    """Call prctl(2); false where there is none or it refuses."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - 3 ms that other systems need not pay

    libc = ctypes.CDLL(None)
    return int(libc.prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3)) == 0


def _have_kernel_kill(lifeline: int) -> None:
    """Let the kernel send SIGKILL to this process group once the lifeline's other end closes.

    Signal-driven I/O (fcntl(2): O_ASYNC, F_SETOWN, F_SETSIG) on a descriptor that can have only one
    event. Measured on Linux 6.18: 2 ms from the close to the death of a process asleep in native
    code with the interpreter's lock held, and of the children in its group.
    """
    group = os.getpgrp()
    owner = -group if group == os.getpid() else os.getpid()
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, owner)
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)


def _watch(lifeline: int) -> NoReturn:
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    while not poll.poll():
        continue
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
