"""What can go wrong, as types with stable codes.

    ClipreadyError
    ├── InputRejected        the input's side: every reason it cannot be prepared
    ├── PreparationFailed    our side: disk, worker, deadline, target
    └── ProfileInvalid       a profile that contradicts itself (also a ValueError)

Programmers' mistakes (a wrong type, an unknown profile name) stay plain ``TypeError``,
``ValueError`` and ``LookupError``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preprocess.plan import Reason


class FailureCode(StrEnum):
    """Why work on a fit input did not end in a result."""

    TARGET_EXISTS = "target_exists"
    TARGET_NOT_WRITABLE = "target_not_writable"
    TARGET_IS_INPUT = "target_is_input"
    TARGET_NAME = "target_name"
    DISK_FULL = "disk_full"
    WORKER_DIED = "worker_died"
    DEADLINE = "deadline"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    CANCELLED = "cancelled"
    VERIFICATION = "verification"
    ENGINE = "engine"
    BINARY_MISSING = "binary_missing"
    BINARY_UNFIT = "binary_unfit"
    BINARY_FAILED = "binary_failed"
    ENCODER_UNUSABLE = "encoder_unusable"
    PAIR = "pair"


class ClipreadyError(Exception):
    """Base of all errors this package raises on purpose."""


class InputRejected(ClipreadyError):  # noqa: N818 - reads as the outcome it reports
    """The input cannot be made acceptable; ``reasons`` holds every objection."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(reason.sentence() for reason in self.reasons))

    @property
    def code(self) -> str:
        """The rule of the first objection, for example ``video.duration``."""
        return self.reasons[0].rule


class PreparationFailed(ClipreadyError):  # noqa: N818 - as above
    """Something on our side failed; ``code`` says what, ``detail`` may hold a stderr tail."""

    def __init__(self, code: FailureCode, message: str, *, detail: str | None = None) -> None:
        self.code = code
        self.message = message
        self.detail = detail
        super().__init__(message)


class ProfileInvalid(ClipreadyError, ValueError):  # noqa: N818 - as above
    """A profile file contradicts itself or cannot be read; the message names file and line."""
