"""The terminal: where text for people goes, and the bar on stderr. Rich is loaded when needed."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Self

from pipeline.terminal.text import clean, clean_lines, shorten

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from preprocess import Progress, Route

_QUIET_S = 1.0
"""Work shorter than this shows no bar."""
_NAME_CELLS = 28
_BAR_CELLS = (10, 40)
_BESIDE_BAR = 60
"""Columns for name, step and time, and some to spare: ``^C`` must not start a new line."""
_UNBROKEN = 1000
"""Columns of what is no terminal: nothing is broken into lines there, names least of all."""


def console(*, error: bool = False) -> Console:
    """A console that takes text as it is: no markup, no emoji codes, no guessed highlights."""
    from rich.console import Console  # noqa: PLC0415 - 30 ms, not for --json

    file = sys.stderr if error else sys.stdout
    made = Console(file=file, markup=False, emoji=False, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _UNBROKEN
    return made


def show(where: Console, what: RenderableType) -> None:
    """Print *what*, without the spaces that tables put at the ends of their lines."""
    with where.capture() as captured:
        where.print(what)
    text = "\n".join(line.rstrip(" ") for line in captured.get().split("\n"))
    where.file.write(text)
    where.file.flush()


def show_whole(where: Console, text: str) -> None:
    """Print *text* in lines as long as they are, to be copied from there."""
    where.file.write(clean_lines(text) + "\n")
    where.file.flush()


class ProgressBar:
    """A bar with the time left on stderr, if that is a terminal and the work takes a while.

    Use it as a context; it is gone afterwards.
    """

    def __init__(self, where: Console, names: dict[int, str], *, count: int) -> None:
        """Be ready for the work on the inputs *names*, by their places among *count*."""
        self._where = where
        self._labels = [_label(name, index, count) for index, name in names.items()]
        self._started = time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._step: tuple[int, str, Route | None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, progress: Progress) -> None:
        """Show how far the work has come."""
        if not self._where.is_terminal or self._where.is_dumb_terminal:
            return
        if self._bar is None:
            if time.monotonic() - self._started < _QUIET_S:
                return
            self._bar = _bar(self._where)
            self._bar.start()
        step = (progress.index, progress.stage.value, progress.route)
        if step != self._step:
            self._begin(self._bar, step)
        assert self._task is not None  # noqa: S101 - begun just now
        self._bar.update(self._task, completed=progress.fraction)

    def _begin(self, bar: Bar, step: tuple[int, str, Route | None]) -> None:
        self._step = step
        if self._task is not None:
            bar.remove_task(self._task)
        index, stage, route = step
        doing = route.label if stage == "execute" and route is not None else stage
        self._task = bar.add_task(f"{self._labels[index]}  {doing}", total=1.0)


def _label(name: str, index: int, count: int) -> str:
    position = f"[{index + 1}/{count}] " if count > 1 else ""
    return position + shorten(clean(name), _NAME_CELLS - len(position))


def _bar(where: Console) -> Bar:
    from rich.progress import (  # noqa: PLC0415 - only long work pays for it
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415 - as above

    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=max(_BAR_CELLS[0], min(_BAR_CELLS[1], where.width - _BESIDE_BAR))),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("left", markup=False),
        console=where,
        transient=True,
        expand=False,
    )
