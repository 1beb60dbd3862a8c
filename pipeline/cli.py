"""The entry point ``clipready``. A worker is started before anything heavy is imported."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

WORKING_COMMANDS = frozenset({"probe", "check", "plan", "normalize"})
INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of the signal, as shells count."""

_HELP = frozenset({"--help", "-h", "--version"})


class Interrupted(KeyboardInterrupt):
    """A signal told us to stop; ``args[0]`` is its number."""


def main() -> NoReturn:
    """Run the command line and exit; the codes are in docs/json.md."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a job in the background
            signal.signal(number, _interrupt)
    try:
        _run(sys.argv[1:])
    except KeyboardInterrupt as stop:
        number = stop.args[0] if isinstance(stop, Interrupted) else signal.SIGINT
        print("clipready: interrupted; nothing unfinished was left behind", file=sys.stderr)  # noqa: T201
        sys.exit(128 + number)
    sys.exit(0)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # Once is enough: a second Ctrl-C must not stop the cleaning up after the first.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


def _run(words: list[str]) -> None:
    if needs_worker(words):
        from preprocess import prestart  # noqa: PLC0415 - not for --help

        prestart()
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the work.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    from pipeline.commands import app  # noqa: PLC0415 - after the worker was started

    app(args=words, prog_name="clipready")


def needs_worker(words: list[str]) -> bool:
    """Whether *words* are a command that looks at files."""
    if len(words) < 2 or words[0] not in WORKING_COMMANDS:  # noqa: PLR2004 - command and file
        return False
    before_names = words[: words.index("--")] if "--" in words else words
    return not _HELP & set(before_names)


if __name__ == "__main__":
    main()
