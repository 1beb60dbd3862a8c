"""What the provider's answers mean. Pure.

They are read tolerantly: the provider will grow, and no strict reader may lose a paid job.
Shapes as in docs.empiriolabs.ai/api-reference/jobs/retrieve-job and in the clients that are known
(2026); where those differ, all of them are read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from pipeline.errors import ApiUnreadable, ErrorCode
from pipeline.redaction import foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SUCCEEDED = frozenset({"completed", "succeeded", "success"})
_FAILED = frozenset({"failed", "failure", "error", "cancelled", "canceled", "expired"})
_WRAPPERS = ("data", "job", "result")
_MAX_ID = 200
_REDIRECTS = range(300, 400)
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of the provider's."""

    status: int
    """Of HTTP."""
    body: bytes
    content_type: str = ""
    retry_after_s: float | None = None
    broken: str | None = None
    """Why ``body`` is not all of it."""

    @property
    def is_success(self) -> bool:
        """Whether the status says so."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110, 15.3

    @property
    def data(self) -> object:
        """The body as JSON.

        Raises:
            ApiUnreadable: it is not.
        """
        if self.status in _REDIRECTS:
            told = "it sends us elsewhere, which is not followed"
        elif self.broken:
            told = f"it broke off: {self.broken}"
        else:
            try:
                value: object = json.loads(self.body)
            except (ValueError, RecursionError):
                told = self._looks_like
            else:
                return value
        msg = (
            f"the provider's answer (HTTP {self.status}) cannot be read: {told}; allowed: JSON. "
            "Check CLIPREADY_BASE_URL, or try later"
        )
        raise ApiUnreadable(
            ErrorCode.API_UNREADABLE,
            msg,
            raw_message=foreign(self.body[:4096].decode("utf-8", "replace")),
            status=self.status,
        )

    @property
    def _looks_like(self) -> str:
        start = self.body[:256].lstrip().lower()
        if not start:
            return "it is empty"
        if "html" in self.content_type.lower() or start.startswith((b"<!doctype", b"<html")):
            return "it is a web page"
        return f"it is no JSON ({len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as the provider put it."""

    code: str | None = None
    message: str | None = None

    @property
    def text(self) -> str:
        """All of it, to be searched."""
        return f"{self.code or ''} {self.message or ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the request."""

    job_id: str
    status: str
    poll_url: str | None


class JobKind(StrEnum):
    """What a job's status comes down to."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """What the provider says about a job."""

    kind: JobKind
    status: str
    """Raw; unknown ones count as pending."""
    progress: float | None = None
    """0 to 1."""
    result_urls: tuple[str, ...] = ()
    """Signed: never to be shown or kept."""
    error: Problem | None = None

    def __repr__(self) -> str:
        return f"JobState(kind={self.kind!r}, status={self.status!r}, progress={self.progress!r})"


def read_accepted(answer: Answer) -> Accepted:
    """What the provider made of a request.

    Raises:
        ApiUnreadable: no job id can be found.
    """
    data = answer.data
    for level in _levels(data):
        job_id = _text(level.get("job_id")) or _text(level.get("id"))
        if job_id and len(job_id) <= _MAX_ID and job_id.isprintable():
            return Accepted(
                job_id=job_id,
                status=(_text(level.get("status")) or "").lower(),
                poll_url=_text(level.get("poll_url")),
            )
    msg = "the provider's answer to the request names no job"
    raise ApiUnreadable(
        ErrorCode.API_UNREADABLE, msg, raw_message=foreign(str(data)), status=answer.status
    )


def read_job(answer: Answer) -> JobState:
    """What the provider says about a job.

    Raises:
        ApiUnreadable: it says nothing that could be about one.
    """
    data = answer.data
    for level in _levels(data):
        status = _text(level.get("status")) or _text(level.get("state"))
        if status is not None:
            return _state(status.strip().lower(), level)
    msg = "the provider's answer about the job has no status"
    raise ApiUnreadable(
        ErrorCode.API_UNREADABLE, msg, raw_message=foreign(str(data)), status=answer.status
    )


def _state(status: str, level: Mapping[str, object]) -> JobState:
    if status in _SUCCEEDED:
        urls = tuple(dict.fromkeys(_urls({k: level.get(k) for k in ("result", "data", "output")})))
        return JobState(kind=JobKind.SUCCEEDED, status=status, progress=1.0, result_urls=urls)
    if status in _FAILED:
        return JobState(kind=JobKind.FAILED, status=status, error=read_problem(level))
    return JobState(
        kind=JobKind.PENDING, status=foreign(status), progress=_fraction(level.get("progress"))
    )


def read_problem(data: object) -> Problem:
    """The error in *data*: an envelope, a bare text, or nothing at all."""
    if isinstance(data, str):
        return Problem(message=data)
    if isinstance(data, list):
        return next(
            (found for each in data if (found := read_problem(each)).text.strip()), Problem()
        )
    if not isinstance(data, dict):
        return Problem()
    for name in ("error", "errors", "detail"):
        if data.get(name):
            inner = read_problem(data[name])
            return Problem(
                code=inner.code or _text(data.get("code")),
                message=inner.message or _text(data.get("message")),
            )
    return Problem(
        code=_text(data.get("code")) or _text(data.get("type")),
        message=_text(data.get("message")) or _text(data.get("msg")),
    )


def job_path(base_url: str, job_id: str, poll_url: str | None) -> str:
    """Where to ask about a job, from ``/`` on.

    A poll address elsewhere is not followed: the key would go with it. Nor is one with a query,
    which would be a secret to keep.
    """
    usual = f"/v1/jobs/{quote(job_id, safe='')}"
    if not poll_url:
        return usual
    try:
        parts, base = urlsplit(poll_url), urlsplit(base_url)
        if parts.netloc and (parts.scheme, parts.netloc) != (base.scheme, base.netloc):
            return usual
    except ValueError:
        return usual
    plain = parts.path.startswith("/") and not parts.path.startswith("//")
    safe = parts.path.isascii() and parts.path.isprintable() and " " not in parts.path
    return parts.path if plain and safe and not parts.query and ".." not in parts.path else usual


def _levels(data: object) -> Iterator[Mapping[str, object]]:
    """The object itself, then what some answers wrap it in."""
    if isinstance(data, dict):
        yield data
        for name in _WRAPPERS:
            if isinstance(data.get(name), dict):
                yield data[name]


def _urls(value: object, key: str = "", depth: int = 0) -> Iterator[str]:
    """Every web address under a key that speaks of one, in order."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        named = any(word in key.lower() for word in ("url", "video", "data", "output", "result"))
        if named and value.startswith(("https://", "http://")):
            yield value
    elif isinstance(value, dict):
        # Those called so first: the clip is no thumbnail.
        for name in sorted(
            value, key=lambda name: name not in {"url", "video_url", "video", "data"}
        ):
            yield from _urls(value[name], str(name), depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _urls(each, key, depth + 1)


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _fraction(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None
