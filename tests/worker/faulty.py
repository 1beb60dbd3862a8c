"""A worker with operations that do what a bad file can make a good worker do.

Run by the product in place of its own module: ``lease(module="tests.worker.faulty")``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from preprocess.worker.__main__ import main
from preprocess.worker.protocol import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable

    Args = dict[str, object]
    Fds = list[int]
    Progress = Callable[[float], None]
    Answer = dict[str, object]

CHUNK = b"\0" * 2**20


def number(args: Args, name: str, default: float) -> float:
    value = args.get(name, default)
    assert isinstance(value, int | float)
    return value


def echo(args: Args, fds: Fds, _progress: Progress) -> Answer:
    read = [os.pread(fd, 100, 0).decode() for fd in fds]
    return {"args": args, "read": read, "pid": os.getpid()}


def write(args: Args, fds: Fds, _progress: Progress) -> Answer:
    count = 0
    for _ in range(int(number(args, "mib", 1))):
        count += os.write(fds[0], CHUNK)
    return {"written": count}


def sleep(args: Args, _fds: Fds, _progress: Progress) -> Answer:
    time.sleep(number(args, "seconds", 600))
    return {}


def sleep_with_the_interpreters_lock(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    ctypes.PyDLL(None).sleep(600)
    return {}


def sleep_deaf(args: Args, fds: Fds, progress: Progress) -> Answer:
    for number_ in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number_, signal.SIG_IGN)
    return sleep(args, fds, progress)


def sleep_with_child(_args: Args, fds: Fds, _progress: Progress) -> Answer:
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    os.pwrite(fds[0], str(child).encode(), 0)
    time.sleep(600)
    return {}


def leave_child(_args: Args, fds: Fds, _progress: Progress) -> Answer:
    child = os.fork()
    if child == 0:
        time.sleep(600)
    os.pwrite(fds[0], str(child).encode(), 0)
    os.abort()


def spin(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    while True:
        pass


def abort(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    os.write(2, b"last words\x1b[31m")
    os.abort()


def segfault(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    ctypes.string_at(0)
    return {}


def leave(args: Args, _fds: Fds, _progress: Progress) -> Answer:
    sys.exit(int(number(args, "code", 0)))


def allocate(args: Args, _fds: Fds, _progress: Progress) -> Answer:
    return {"size": len(bytearray(int(number(args, "bytes", 10 * 2**30))))}


def start_threads(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    for _ in range(10_000):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return {}


def fail_with_errno(args: Args, _fds: Fds, _progress: Progress) -> Answer:
    name = args["errno"]
    assert isinstance(name, str)
    msg = "a wrapper that has no errno"
    raise LookupError(msg) from OSError(getattr(errno, name), "as the kernel says")


def raise_typed(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    code, message = "unsupported", "this is a spreadsheet"
    raise OperationError(code, message, {"seen": "\udce9.xls"})


def raise_untyped(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    msg = "nobody foresaw this"
    raise ZeroDivisionError(msg)


def answer_no_json(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    return {"value": b"bytes"}


def answer_garbage(args: Args, _fds: Fds, _progress: Progress) -> Answer:
    body = args["body"]
    assert isinstance(body, str)
    os.write(int(sys.argv[1]), len(body).to_bytes(4, "big") + body.encode())
    time.sleep(600)
    return {}


def answer_noise(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    os.write(int(sys.argv[1]), b"\xff" * 64)
    time.sleep(600)
    return {}


def answer_a_lot(args: Args, _fds: Fds, _progress: Progress) -> Answer:
    return {"text": "x" * int(number(args, "bytes", 100e6))}


def send_a_lot(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    size = 100 * 10**6
    data = size.to_bytes(4, "big") + b"x" * size
    while data:
        data = data[os.write(int(sys.argv[1]), data) :]
    return {}


def hang_up(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    os.close(int(sys.argv[1]))
    time.sleep(600)
    return {}


def report(args: Args, _fds: Fds, progress: Progress) -> Answer:
    steps = int(number(args, "steps", 100))
    for step in range(steps):
        progress(step / steps)
        time.sleep(number(args, "pause_s", 0.01))
    return {"steps": steps}


def report_late(_args: Args, _fds: Fds, progress: Progress) -> Answer:
    threading.Timer(0.1, progress, (1.0,)).start()
    return {}


def chatter(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    os.write(2, b"a warning that is not about the next job\n")
    return {}


def environment(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    fds = sorted(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208
    return {"environ": dict(os.environ), "path": sys.path, "fds": fds, "cwd": os.getcwd()}  # noqa: PTH109


def limits(_args: Args, _fds: Fds, _progress: Progress) -> Answer:
    import resource  # noqa: PLC0415

    names = ("CORE", "NOFILE", "CPU", "AS", "FSIZE")
    found = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names}
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status") if ":\t" in line)  # noqa: PTH123, SIM115
    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
    return {
        "limits": found,
        "cpu_used_s": time.process_time(),
        "no_new_privileges": status["NoNewPrivs"].strip(),
        "dumpable": dumpable,
        "session": os.getsid(0),
        "group": os.getpgrp(),
    }


OPERATIONS = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", None) == __name__ and name != "number"
}

if __name__ == "__main__":
    sys.exit(main(sys.argv, lambda: OPERATIONS))
