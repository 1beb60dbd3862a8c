"""Why an engine could not carry out a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preprocess.timing import seconds_text

if TYPE_CHECKING:
    from fractions import Fraction

    from preprocess.errors import FailureCode


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


class SoundDamaged(Exception):  # noqa: N818 - as above
    """Some of the sound of the window decodes, but not all that its packets promise."""

    def __init__(self, there_s: Fraction, promised_s: Fraction) -> None:
        self.there_s = there_s
        self.promised_s = promised_s
        super().__init__(
            f"{seconds_text(there_s)} of {seconds_text(promised_s)} of the sound can be decoded"
        )


class SoundUneven(Exception):  # noqa: N818 - as above
    """Packets of sound that cannot be copied one after the other; decoded they can be placed."""


class ProgramFailed(Exception):  # noqa: N818 - as above
    """A program of the second engine did not do its work, and the source is not at fault."""

    def __init__(self, code: FailureCode, message: str, detail: str = "") -> None:
        self.code = code
        self.detail = detail
        super().__init__(message)
