"""Why an engine could not carry out a plan."""

from __future__ import annotations


class SourceDamaged(Exception):  # noqa: N818 - reads as what was found
    """Pictures that the index promises cannot be read."""

    def __init__(self, readable: int, expected: int, what: str) -> None:
        self.readable = readable
        self.expected = expected
        super().__init__(f"{readable} of {expected} {what}")


class PlanMismatch(Exception):  # noqa: N818 - as above
    """The packets are not those the plan was made from; a costlier route may still work."""


class SoundLost(Exception):  # noqa: N818 - as above
    """A sound track that promised sound has none in the window that decodes."""
