"""What a call tells people: data on stdout, trouble and progress on stderr."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.terminal import views
from pipeline.terminal.console import ProgressBar, console, show, show_whole
from preprocess import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.terminal.request import Task
    from pipeline.terminal.work import Look
    from preprocess import Profile, Progress, Report


class PeopleVoice:
    """Text, as wide as the terminal."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._out = console()
        self._error = console(error=True)

    def probed(self, task: Task, found: Look) -> None:
        """Print the facts."""
        if found.facts is None:
            self._tell_trouble(task, found)
        else:
            self._between(task)
            show(self._out, views.facts_view(task.name, found.facts, verbose=self._verbose))

    def checked(self, task: Task, found: Look) -> None:
        """Print yes, or every rule that says no."""
        if found.facts is None or found.status is Status.FAILED:
            self._tell_trouble(task, found)
        else:
            show(self._out, views.check_view(task, found))

    def planned(self, task: Task, found: Look) -> None:
        """Print the plan, or every objection."""
        if found.plan is None:
            self._tell_trouble(task, found)
        else:
            self._between(task)
            show(self._out, views.plan_view(task, found.plan, found))
            if self._verbose and found.command is not None:
                show_whole(self._out, found.command)

    def _between(self, task: Task) -> None:
        if task.index:
            show(self._out, "")

    def _tell_trouble(self, task: Task, found: Look) -> None:
        if found.status is not None and found.problem is not None:
            view = views.trouble_view(
                task.name, found.status, found.problem, found.reasons, verbose=self._verbose
            )
            show(self._error, view)

    @contextmanager
    def working(self, group: Sequence[Task], count: int) -> Iterator[Callable[[Progress], None]]:
        """Show a bar if it takes a while."""
        names = {task.index: task.name for task in group}
        with ProgressBar(self._error, names, count=count) as bar:
            yield bar.tell

    def prepared(self, task: Task, report: Report) -> None:
        """Print what went wrong on the way, if anything did; the rest is for the table."""
        if report.attempts:
            show(self._error, views.attempts_view(task, report))
        if report.error is not None:
            view = views.trouble_view(
                task.name, report.status, report.error, report.reasons, verbose=self._verbose
            )
            show(self._error, view)

    def ended(self, results: Sequence[tuple[Task, Report]]) -> None:
        """Print the table."""
        if self._verbose:
            for task, report in results:
                show(self._out, views.checks_view(task, report))
        show(self._out, views.results_view(results))

    def listed(self, profiles: Sequence[Profile]) -> None:
        """Print names and models."""
        show(self._out, views.profile_rows(profiles))

    def described(self, profile: Profile) -> None:
        """Print every limit with its sources."""
        show(self._out, views.limits_view(profile))
