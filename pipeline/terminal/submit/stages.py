"""The steps of a submission on stderr: alive on a terminal, else a line for each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.constrain import Constrain
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipeline.terminal.submit.steps import Step
from pipeline.terminal.text import bytes_text, clean, taken_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from pipeline.terminal.submit.steps import Line

_INSTANT = frozenset({Step.PRICE})
"""Steps that take no time to speak of."""
_PER_SECOND = 8
_BAR_CELLS = 16
_ROOM_FOR_KEYS = 4


class _Row:
    """One step on the screen."""

    def __init__(self, line: Line, now: float) -> None:
        self.line = line
        self.began = now
        self.ended: float | None = None
        self.spinner = Spinner("dots")

    def take(self, line: Line, now: float) -> None:
        """Show *line* from now on."""
        self.line = line
        self.ended = now if line.done else None

    def taken(self, now: float) -> str:
        """How long it took, or has taken so far."""
        if self.line.step in _INSTANT:
            return ""
        return taken_text((self.ended or now) - self.began)


class Stages:
    """Use it as a context; what it shows stays on the screen."""

    def __init__(self, where: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._clock = clock
        self._rows: dict[tuple[Step, str | None], _Row] = {}
        self._live: Live | None = None
        self._over = False

    def __enter__(self) -> Self:
        if self._where.is_terminal and not self._where.is_dumb_terminal:
            self._live = Live(
                get_renderable=self._table, console=self._where, refresh_per_second=_PER_SECOND
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        if self._live is not None:
            self._live.stop()

    def tell(self, line: Line) -> None:
        """Show how far a step is."""
        about, now = (line.step, line.field), self._clock()
        row = self._rows.get(about)
        noted = row.line.note if row else None
        if row is None:
            row = self._rows[about] = _Row(line, now)
        row.take(line, now)
        waiting = line.step is Step.WAIT and line.note != noted
        if self._live is None and (line.done or waiting):
            self._where.print(self._plain(row), soft_wrap=True)

    def _plain(self, row: _Row) -> str:
        line = row.line
        parts = [_detail(line), row.taken(self._clock()) if line.done else ""]
        told = ", ".join(filter(None, parts))
        return f"{_name(line)}: {told}" if told else _name(line)

    def _table(self) -> RenderableType:
        now = self._clock()
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=1)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for row in list(self._rows.values()):
            line = row.line
            taken = Text(row.taken(now), style="dim" if line.done else "", justify="right")
            table.add_row(self._mark(row), _name(line), taken, _shown(line))
        # A whole line of blanks at the end, and ``^C`` would start a new one.
        return Constrain(table, self._where.width - _ROOM_FOR_KEYS)

    def _mark(self, row: _Row) -> RenderableType:
        if row.line.done:
            return Text("✓", style="green")
        return Text("·", style="yellow") if self._over else row.spinner


def _name(line: Line) -> str:
    return f"{line.step.value} {line.field}" if line.field else line.step.value


def _detail(line: Line) -> str:
    parts = [clean(line.note)]
    if line.sent_bytes is not None:
        size = bytes_text(line.sent_bytes)
        whole = line.total_bytes is None or line.sent_bytes == line.total_bytes
        parts.append(size if whole else f"{size} of {bytes_text(line.total_bytes or 0)}")
    return ", ".join(filter(None, parts))


def _shown(line: Line) -> Text:
    """The details, and a bar where it is known how much there is."""
    fraction = line.fraction
    if fraction is None and line.sent_bytes is not None and line.total_bytes:
        fraction = line.sent_bytes / line.total_bytes
    text = Text(_detail(line))
    if fraction is not None and not line.done:
        full = round(max(0.0, min(fraction, 1.0)) * _BAR_CELLS)
        text.append(" " if text else "")
        text.append("━" * full, style="green").append("━" * (_BAR_CELLS - full), style="dim")
        text.append(f" {fraction:.0%}")
    return text
