"""The entry point ``clipready``. A worker is started before anything heavy is imported."""

from __future__ import annotations

import gc
import signal
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

LOCAL_COMMANDS = frozenset({"probe", "check", "plan", "normalize"})
WORKING_COMMANDS = LOCAL_COMMANDS | {"submit"}

_SIGNALLED = 128
"""Added to the number of the signal that ended us, as shells do: 130 after Ctrl-C."""
_HELP = frozenset({"--help", "-h", "--version"})


class Interrupted(BaseException):
    """A signal told us to stop."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def main() -> NoReturn:
    """Run the command line and exit; the codes are in docs/json.md."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a job in the background
            signal.signal(number, _interrupt)
    try:
        _run(sys.argv[1:])
    except Interrupted as stop:
        sys.stderr.write("clipready: interrupted; no unfinished file was left behind\n")
        sys.exit(_SIGNALLED + stop.number)
    sys.exit(0)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # Once is enough: a second Ctrl-C must not stop the cleaning up after the first.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


def _run(words: list[str]) -> None:
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the work.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # What is imported now lives as long as we do; looking through it for garbage is wasted.
    gc.disable()
    if needs_worker(words):
        from preprocess import prestart  # noqa: PLC0415 - not for --help

        prestart()
        _import_meanwhile(words[0])
    from pipeline.terminal.commands import app  # noqa: PLC0415 - after the worker was started

    gc.freeze()
    gc.enable()
    app(args=words, prog_name="clipready")


def _import_meanwhile(command: str) -> None:
    """What *command* needs anyway, while the worker starts."""
    if command in LOCAL_COMMANDS:
        import pipeline.terminal.request  # noqa: PLC0415 - see above
        import pipeline.terminal.work  # noqa: PLC0415 - see above
    else:
        import pipeline.terminal.submit.work  # noqa: F401, PLC0415 - see above


def needs_worker(words: list[str]) -> bool:
    """Whether *words* are a command that looks at files."""
    if len(words) < 2 or words[0] not in WORKING_COMMANDS:  # noqa: PLR2004 - command and file
        return False
    before_names = words[: words.index("--")] if "--" in words else words
    return not _HELP & set(before_names)


if __name__ == "__main__":
    main()
