"""Running a program to its end: bounded output, told line by line; its limits are the worker's.

It stays in the worker's process group, so that what kills the worker kills it, and it inherits the
limits on memory, CPU time and file size of the worker's job.
"""

from __future__ import annotations

import os
import resource
import selectors
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from preprocess.worker.failures import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO

_STDERR_TAIL_BYTES = 4096
_LINE_BYTES = 4096
"""Longer lines are no words of ffmpeg's."""
_CHUNK_BYTES = 65_536
_MOST_TOLD_BYTES = 1 << 20
"""Of what a program writes to stderr, how much goes to ours: that is kept in memory."""
_LOOK_S = 0.2
"""How often to look whether a program has ended whose pipes somebody else still holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended."""

    status: int
    """Exit code; negative: the signal that killed it."""
    stderr: str
    """The end of what it wrote there, in printable characters."""
    cut: bool
    """Whether there was more of it before."""
    cpu_s: float
    """CPU time it took."""


def run(
    command: Sequence[str],
    *,
    folder: str,
    fds: Sequence[int] = (),
    on_line: Callable[[str], None],
) -> Ended:
    """Run *command* in *folder*, with *fds* handed down; *on_line* gets the lines of its stdout.

    The command and what it writes to stderr go to ours as well, where they are found when both of
    us are killed.

    Raises:
        OSError: it cannot be started.
    """
    before_s = _children_cpu_s()
    print(shlex.join(command), file=sys.stderr, flush=True)  # noqa: T201 - as said above
    with subprocess.Popen(  # noqa: S603 - no shell; the words are ours or the caller's own program
        command,
        cwd=folder,
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
    ) as child:
        assert child.stdout is not None  # noqa: S101 - a pipe was asked for
        assert child.stderr is not None  # noqa: S101 - as above
        try:
            tail = _listen(child, child.stdout, child.stderr, on_line)
        except BaseException:
            child.kill()
            raise
    cpu_s = _children_cpu_s() - before_s
    cut = len(tail) == _STDERR_TAIL_BYTES
    return Ended(status=child.returncode, stderr=printable(tail), cut=cut, cpu_s=cpu_s)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _listen(
    child: subprocess.Popen[bytes],
    stdout: IO[bytes],
    stderr: IO[bytes],
    on_line: Callable[[str], None],
) -> bytes:
    """Read both until they close, or *child* is gone and nothing comes; the end of *stderr*."""
    tail, rest, room = b"", b"", _MOST_TOLD_BYTES
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(stderr, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(_LOOK_S)
            if not ready and child.poll() is not None:
                break
            for key, _ in ready:
                data = os.read(key.fd, _CHUNK_BYTES)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is stderr:
                    tail = (tail + data)[-_STDERR_TAIL_BYTES:]
                    sys.stderr.buffer.write(data[:room])
                    sys.stderr.flush()
                    room -= len(data[:room])
                else:
                    *lines, rest = (rest + data).split(b"\n")
                    rest = rest[-_LINE_BYTES:]
                    for line in lines:
                        on_line(line.decode(errors="replace"))
    return tail
