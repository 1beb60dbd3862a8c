"""How a command tells what happened; in JSON lines (`records`) or to people (`people`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from pipeline.terminal.options import Telling
    from pipeline.terminal.request import Task
    from pipeline.terminal.work import Look
    from preprocess import Profile, Progress, Report


class Voice(Protocol):
    """Tells what became of each input as soon as it is known."""

    def probed(self, task: Task, found: Look) -> None:
        """Tell what a file is."""

    def checked(self, task: Task, found: Look) -> None:
        """Tell whether a file is accepted as it is."""

    def planned(self, task: Task, found: Look) -> None:
        """Tell what would be done."""

    def working(
        self, group: Sequence[Task], count: int
    ) -> AbstractContextManager[Callable[[Progress], None]]:
        """Tell, for the length of the context, how far work on some of *count* inputs is."""

    def prepared(self, task: Task, report: Report) -> None:
        """Tell what was done."""

    def ended(self, results: Sequence[tuple[Task, Report]]) -> None:
        """Tell how all of it went."""

    def listed(self, profiles: Sequence[Profile]) -> None:
        """Tell which profiles there are."""

    def described(self, profile: Profile) -> None:
        """Tell what a profile holds."""


def voice_for(telling: Telling) -> Voice:
    """The voice that was asked for. Each brings its own modules; Rich is not for programs."""
    if telling.json:
        from pipeline.terminal.records import JsonVoice  # noqa: PLC0415 - see above

        return JsonVoice()
    from pipeline.terminal.people import PeopleVoice  # noqa: PLC0415 - see above

    return PeopleVoice(verbose=telling.verbose)
