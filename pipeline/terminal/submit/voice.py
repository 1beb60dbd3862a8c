"""How these commands tell what happened; in JSON lines (`records`) or to people (`people`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from pipeline.drift import Difference
    from pipeline.ledger import Entry
    from pipeline.terminal.options import Telling
    from pipeline.terminal.submit.jobs import Listing, Story
    from pipeline.terminal.submit.outcome import Trouble
    from pipeline.terminal.submit.steps import Line
    from pipeline.terminal.submit.work import Ended
    from preprocess import Profile


class Voice(Protocol):
    """Tells what became of a submission, and what the ledger holds."""

    def following(self) -> AbstractContextManager[Callable[[Line], None]]:
        """Tell, for the length of the context, how far the steps are."""

    def drafted(self, ended: Ended) -> None:
        """Tell what would be sent."""

    def ended(self, ended: Ended) -> None:
        """Tell how a submission ended."""

    def left(self, entry: Entry) -> None:
        """Tell how a job goes on that the call was stopped at."""

    def listed(self, found: Listing) -> None:
        """Tell which jobs there are."""

    def shown(self, story: Story) -> None:
        """Tell all about a job."""

    def forgotten(self, story: Story) -> None:
        """Tell that a key is free again."""

    def compared(self, profile: Profile, differences: Sequence[Difference]) -> None:
        """Tell where provider and profile differ."""

    def troubled(self, kind: str, trouble: Trouble) -> None:
        """Tell why there is none of what the JSON calls *kind*."""


def voice_for(telling: Telling) -> Voice:
    """The voice that was asked for, as `pipeline.terminal.voice.voice_for`."""
    if telling.json:
        from pipeline.terminal.submit.records import JsonVoice  # noqa: PLC0415 - Rich is not needed

        return JsonVoice()
    from pipeline.terminal.submit.people import PeopleVoice  # noqa: PLC0415 - as above

    return PeopleVoice(verbose=telling.verbose)
