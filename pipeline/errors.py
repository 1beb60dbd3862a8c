"""What can go wrong between a request and its clip, as types with stable codes.

    ClipreadyError
    └── PipelineError            code, message; the provider's own raw_code, raw_message and status
        ├── RequestRejected      the request itself: every objection, before anything is sent
        ├── CostTooHigh          it may cost more than the caller allows
        ├── SettingsInvalid      a setting is missing or makes no sense
        ├── SourceError          a medium cannot be had
        ├── StoreError           it cannot be put where the provider fetches it
        ├── Authentication       the provider does not know the key
        ├── InsufficientCredits  the account is empty
        ├── Moderated            refused for what it shows or says
        ├── InvalidMedia         refused for what a file is; ``rule`` should have caught it
        ├── ProviderRefused      refused for another reason
        ├── RateLimited          too many requests; nothing was taken
        ├── Unavailable          the provider cannot be reached, or is out of order
        ├── ApiUnreadable        it answers what cannot be understood
        ├── JobFailed            the job was taken and came to nothing
        ├── StillPending         the job is not done yet
        ├── Expired              the provider does not know the job any more
        ├── UnknownOutcome       sent, and nobody knows whether a job was made (and billed)
        ├── DownloadFailed       the clip is made, but not here
        └── LedgerError          the ledger cannot be used, or says no

No text in them holds a key or the query of a signed URL; see `pipeline.redaction`.
docs/submit.md lists the codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from preprocess import ClipreadyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preprocess import Reason


class ErrorCode(StrEnum):
    """What happened, as a name that stays."""

    REQUEST_REJECTED = "request_rejected"
    COST_TOO_HIGH = "cost_too_high"
    SETTINGS_INVALID = "settings_invalid"

    SOURCE_HTML = "source_html"
    SOURCE_PRIVATE_ADDRESS = "source_private_address"
    SOURCE_TOO_LARGE = "source_too_large"
    SOURCE_UNREACHABLE = "source_unreachable"
    SOURCE_URL = "source_url"
    SOURCE_REDIRECT = "source_redirect"
    SOURCE_STATUS = "source_status"
    SOURCE_ENCODING = "source_encoding"
    SOURCE_EMPTY = "source_empty"
    SOURCE_TOO_SLOW = "source_too_slow"
    SOURCE_UNREADABLE = "source_unreadable"
    SOURCE_NOT_WRITTEN = "source_not_written"

    STORE_MISSING = "store_missing"
    STORE_UNREACHABLE = "store_unreachable"
    STORE_DENIED = "store_denied"
    STORE_CONFLICT = "store_conflict"
    STORE_EXPIRES = "store_expires"
    STORE_URL = "store_url"
    STORE_INSECURE = "store_insecure"
    STORE_NO_BUCKET = "store_no_bucket"
    STORE_CHANGED = "store_changed"
    STORE_NOT_FETCHABLE = "store_not_fetchable"
    STORE_KIND = "store_kind"
    STORE_ANSWER = "store_answer"

    API_KEY_MISSING = "api_key_missing"
    AUTHENTICATION = "authentication"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    MODERATED = "moderated"
    INVALID_MEDIA = "invalid_media"
    PROVIDER_REFUSED = "provider_refused"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    API_UNREADABLE = "api_unreadable"

    JOB_FAILED = "job_failed"
    STILL_PENDING = "still_pending"
    EXPIRED = "expired"
    UNKNOWN_OUTCOME = "unknown_outcome"

    DOWNLOAD_FAILED = "download_failed"
    DOWNLOAD_TARGET = "download_target"
    DOWNLOAD_NO_CLIP = "download_no_clip"
    DOWNLOAD_TOO_LARGE = "download_too_large"

    LEDGER_UNUSABLE = "ledger_unusable"
    LEDGER_NO_JOB = "ledger_no_job"
    LEDGER_KEY = "ledger_key"
    LEDGER_KEY_REUSED = "ledger_key_reused"
    LEDGER_NOT_SENT = "ledger_not_sent"
    LEDGER_LIVE = "ledger_live"


class PipelineError(ClipreadyError):
    """Base of all errors of this package; the message says what was met and what to do."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        detail: str | None = None,
        raw_code: str | None = None,
        raw_message: str | None = None,
        status: int | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.detail = detail
        self.raw_code = raw_code
        """As the provider gave it."""
        self.raw_message = raw_message
        """As the provider gave it, without secrets and cut to a bearable length."""
        self.status = status
        """Of HTTP, where an answer was the reason."""
        super().__init__(message)


class RequestRejected(PipelineError):  # noqa: N818 - reads as the outcome it reports
    """The request makes no sense; ``reasons`` holds every objection. Nothing was sent."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        self.reasons = tuple(reasons)
        text = "; ".join(reason.sentence() for reason in self.reasons)
        super().__init__(ErrorCode.REQUEST_REJECTED, text)


class CostTooHigh(PipelineError):  # noqa: N818 - as above
    """The request may cost more than the caller allows. Nothing was sent."""


class SettingsInvalid(PipelineError):  # noqa: N818 - as above
    """A setting is missing or makes no sense."""


class SourceError(PipelineError):
    """A medium of the request cannot be had."""


class StoreError(PipelineError):
    """A prepared file cannot be put where the provider can fetch it."""


class Authentication(PipelineError):  # noqa: N818 - as above
    """The provider does not know the key, or does not let it do this."""


class InsufficientCredits(PipelineError):  # noqa: N818 - as above
    """The account has too little money."""


class Moderated(PipelineError):  # noqa: N818 - as above
    """Refused for what the media, the prompt or the result shows or says; trying again is vain."""


class InvalidMedia(PipelineError):  # noqa: N818 - as above
    """Refused for what a file is; ``rule`` is the rule of ours that should have caught it."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        rule: str | None = None,
        raw_code: str | None = None,
        raw_message: str | None = None,
        status: int | None = None,
    ) -> None:
        self.rule = rule
        super().__init__(code, message, raw_code=raw_code, raw_message=raw_message, status=status)


class ProviderRefused(PipelineError):  # noqa: N818 - as above
    """Refused for a reason that is none of the others; the same request is refused again."""


class RateLimited(PipelineError):  # noqa: N818 - as above
    """Too many requests. This one was not taken."""


class Unavailable(PipelineError):  # noqa: N818 - as above
    """The provider cannot be reached, or is out of order."""


class ApiUnreadable(PipelineError):  # noqa: N818 - as above
    """The provider answered what cannot be understood: a web page, half a document, no job id."""


class JobFailed(PipelineError):  # noqa: N818 - as above
    """The provider took the job and says that it came to nothing."""


class StillPending(PipelineError):  # noqa: N818 - as above
    """The deadline is over, the job is not. It goes on, and can be waited for again."""


class Expired(PipelineError):  # noqa: N818 - as above
    """The provider does not know the job (any more). It may have been billed: not sent again."""


class UnknownOutcome(PipelineError):  # noqa: N818 - as above
    """The request was sent, and nobody knows whether a job was made. Never sent again by itself."""


class DownloadFailed(PipelineError):  # noqa: N818 - as above
    """The clip is made and paid for, but could not be brought here. Resume to try again."""


class LedgerError(PipelineError):
    """The ledger cannot be used, or holds something that forbids what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error of a job as the ledger keeps it."""

    kind: str
    """Name of its class."""
    code: str
    message: str
    raw_code: str | None = None
    raw_message: str | None = None
    status: int | None = None
    rule: str | None = None

    @classmethod
    def of(cls, error: PipelineError) -> Failure:
        """What has to be known to raise *error* again."""
        return cls(
            kind=type(error).__name__,
            code=error.code,
            message=error.message,
            raw_code=error.raw_code,
            raw_message=error.raw_message,
            status=error.status,
            rule=error.rule if isinstance(error, InvalidMedia) else None,
        )

    def error(self) -> PipelineError:
        """The error again."""
        told = (ErrorCode(self.code), self.message)
        if self.kind == InvalidMedia.__name__:
            return InvalidMedia(
                *told,
                rule=self.rule,
                raw_code=self.raw_code,
                raw_message=self.raw_message,
                status=self.status,
            )
        kind = next((each for each in _OF_JOBS if each.__name__ == self.kind), JobFailed)
        return kind(*told, raw_code=self.raw_code, raw_message=self.raw_message, status=self.status)


_OF_JOBS: tuple[type[PipelineError], ...] = (
    *(Authentication, InsufficientCredits, Moderated),
    *(ProviderRefused, RateLimited, Unavailable),
)
