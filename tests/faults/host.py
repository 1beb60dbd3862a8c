"""A program that prepares files, for tests that need another process than their own.

``python -m tests.faults.host`` reads a job a line, prepares, and answers with its report. A job is
JSON: ``source``, and perhaps ``output``, ``directory``, ``force``, ``deadline_s`` and ``threads``.

``--unprivileged``  first gives up what lets root pass over file permissions; exit 77 if it cannot
``--fork``          does each job in a forked child, to be killed: answers with ``pid``, the
                    ``worker`` it uses, and in the end its ``status``. A job may name a ``kill``,
                    ``[function of os, which call, before or after]``, at which the child kills
                    itself.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preprocess import Intent, Mode, Options, Target, process_file, report_data
from preprocess.worker.handle import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    Job = dict[str, Any]

CANNOT = 77
# linux/prctl.h, linux/capability.h: root without these two is bound by permissions like any owner.
_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


def prepare(job: Job) -> dict[str, object]:
    """Do a job."""
    output, directory = job.get("output"), job.get("directory")
    report = process_file(
        job["source"],
        intent=Intent(mode=Mode.EDIT),
        target=Target(
            output=Path(output) if output else None,
            directory=Path(directory) if directory else None,
        ),
        options=Options(
            force=bool(job.get("force")),
            deadline_s=job.get("deadline_s"),
            threads=job.get("threads"),
        ),
    )
    return report_data(report)


def say(answer: dict[str, object]) -> None:
    """One line to the test, at once."""
    os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Do as the arguments say."""
    if "--unprivileged" in sys.argv:
        _give_up_privileges()
    say({"ready": os.getpid()})
    for line in sys.stdin:
        job = json.loads(line)
        if "--fork" in sys.argv:
            _in_child(job)
        else:
            say(prepare(job))


def _give_up_privileges() -> None:
    if os.geteuid() or os.environ.get("BOUND"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            sys.stderr.write("root cannot give up passing over file permissions here")
            sys.exit(CANNOT)
    os.environ["BOUND"] = "1"
    # A program that root starts has the capabilities left in the bounding set.
    os.execv(sys.executable, [sys.executable, "-m", "tests.faults.host", *sys.argv[1:]])  # noqa: S606


def _in_child(job: Job) -> None:
    child = os.fork()
    if not child:
        _tell_workers()
        if "kill" in job:
            _kill_at(*job["kill"])
        say(prepare(job))
        os._exit(0)
    say({"pid": child})
    _, status = os.waitpid(child, 0)
    say({"status": os.waitstatus_to_exitcode(status)})


def _tell_workers() -> None:
    original: Callable[..., dict[str, object]] = Worker.call

    def call(worker: Worker, *args: Any, **how: Any) -> dict[str, object]:  # noqa: ANN401
        say({"worker": worker.pid, "op": args[0]})
        return original(worker, *args, **how)

    Worker.call = call  # type: ignore[assignment,method-assign]


def _kill_at(name: str, which: int, when: str) -> None:
    original = getattr(os, name)
    left = which

    def replacement(*args: Any, **how: Any) -> object:  # noqa: ANN401
        nonlocal left
        left -= 1
        if not left and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        value = original(*args, **how)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return value

    setattr(os, name, replacement)


if __name__ == "__main__":
    main()
