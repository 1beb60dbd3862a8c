"""Which error of ours an error of the provider's is: by HTTP status and code first, text last.

Texts are those of the real service as others quote them (2026); one cause has several wordings, and
relays put their own names into them, so patterns go by the rule and its numbers. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.answers import Problem, read_problem
from pipeline.errors import (
    ApiUnreadable,
    Authentication,
    ErrorCode,
    InsufficientCredits,
    InvalidMedia,
    JobFailed,
    Moderated,
    PipelineError,
    ProviderRefused,
    RateLimited,
    Unavailable,
)
from pipeline.redaction import foreign

if TYPE_CHECKING:
    from pipeline.answers import Answer

_SERVER_ERROR = 500
_CLIENT_ERROR = 400
_MAYBE_TAKEN = frozenset({408, 409, 425, 499})
"""Client errors that do not prove that nothing was done: timeouts, conflicts, "again"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    error: Callable[..., PipelineError]
    code: ErrorCode
    told: str
    advice: str


_KEY = _Kind(
    error=Authentication,
    code=ErrorCode.AUTHENTICATION,
    told="the provider does not accept the key",
    advice="check EMPIRIOLABS_API_KEY",
)
_CREDITS = _Kind(
    error=InsufficientCredits,
    code=ErrorCode.INSUFFICIENT_CREDITS,
    told="the account has too little credit for this",
    advice="top it up and submit again",
)
_RATE = _Kind(
    error=RateLimited,
    code=ErrorCode.RATE_LIMITED,
    told="the provider gets too many requests from this account",
    advice="wait a minute; lower CLIPREADY_REQUESTS_PER_MINUTE where several processes share it",
)
_MODERATED = _Kind(
    error=Moderated,
    code=ErrorCode.MODERATED,
    told="the provider refuses what the media, the prompt or the result shows or says",
    advice="change the prompt or the media; if it is the sound, try without audio",
)
_REFUSED = _Kind(
    error=ProviderRefused,
    code=ErrorCode.PROVIDER_REFUSED,
    told="the provider refuses the request",
    advice="see what it says; the same request is refused again",
)
_MEDIA = _Kind(
    error=InvalidMedia,
    code=ErrorCode.INVALID_MEDIA,
    told="the provider refuses a file",
    advice="please report it with the file's facts: it should have been caught here",
)
_FETCH = _Kind(
    error=InvalidMedia,
    code=ErrorCode.INVALID_MEDIA,
    told="the provider could not fetch a file",
    advice="check that the store can be reached from the internet, and its links outlive the job",
)
_DOWN = _Kind(
    error=Unavailable,
    code=ErrorCode.UNAVAILABLE,
    told="the provider is out of order",
    advice="try later",
)
_FAILED = _Kind(
    error=JobFailed,
    code=ErrorCode.JOB_FAILED,
    told="the job came to nothing at the provider",
    advice="see what it says; whether a failed job is billed is not known",
)

# docs.empiriolabs.ai/api-reference-overview; the CamelCase ones are the model maker's (S2).
_BY_CODE = {
    "missing_api_key": _KEY,
    "invalid_api_key": _KEY,
    "authenticationerror": _KEY,
    "insufficient_credits": _CREDITS,
    "accountoverdueerror": _CREDITS,
    "rate_limit_exceeded": _RATE,
    "ratelimitexceeded": _RATE,
    "quotaexceeded": _RATE,
    "model_not_found": _REFUSED,
    "model_unavailable": _DOWN,
    "upstream_error": _DOWN,
}
_CERTAIN = (_KEY, _CREDITS, _RATE, _REFUSED)
"""Said by code, these mean that no job was made, whatever the status."""
_BY_STATUS = {401: _KEY, 402: _CREDITS, 429: _RATE}
_OTHERWISE = {403: _KEY, None: _FAILED}
"""Where the text says nothing either. A failed job has no status."""

_POLICY = re.compile(
    r"sensitive\s*content|privacy\s*information|policy\s*violation|content[\s_]?policy|moderat(?:ed|ion)"
    r"|real\s(?:person|people|human)|copyright|nsfw|prohibited\scontent|safety\s(?:system|filter|check)",
    re.IGNORECASE,
)
_FETCHING = re.compile(
    r"(?:time\w*|fail\w*|unable|cannot|could\snot|error)\b[^.]{0,30}\b(?:download|fetch|retriev)\w*",
    re.IGNORECASE,
)
_SHORT = re.compile(
    r"≥|>=|at\sleast|minimum|too\sshort|no\sless|greater\sthan|shorter", re.IGNORECASE
)

# Rule for a clip, rule for an image, pattern; the first that fits. A pattern must not fit a wrong
# parameter, such as a length or a shape that was asked for.
_MEDIA_RULES: tuple[tuple[str | None, str | None, re.Pattern[str]], ...] = tuple(
    (clip, image, re.compile(pattern, re.IGNORECASE))
    for clip, image, pattern in (
        ("input.role", "input.role", r"\bis\snot\san?\s(?:image|video)\b"),
        ("video.duration", None, r"(?:video|clip|media)(?:s|'s)?\s(?:total\s)?(?:duration|length)"),
        ("video.duration", None, r"duration\sof\s(?:the\s|an\s)?(?:input|reference|source|total)"),
        ("video.duration", None, r"\b(?:video|clip)\sis\stoo\s(?:long|short)"),
        ("video.frame_rate", None, r"frame\s?rate|\bfps\b"),
        (
            "video.area",
            "image.area",
            r"pixel\s?count|pixels\b|\b(?:409600|407696|927408|2086876|8295044)\b",
        ),
        ("video.aspect", "image.aspect", r"aspect\sratio(?!.*\bone\sof\b)"),
        ("video.sides", "image.sides", r"\b(?:height|width|side)s?\b.*(?:\d\s?px|\bpixel)"),
        ("file.size", "image.file_size", r"oversized(?:image|video)|(?:file|image|video)\ssize"),
        (
            "file.size",
            "image.file_size",
            r"(?:file|image|video)\b[^.]{0,30}\b(?:too\slarge|exceeds)\b",
        ),
        ("video.codec", None, r"\bcodec\b"),
        (
            *("file.container", "image.format"),
            r"unsupported\s?(?:image|video|media|file)?\s?format|(?:image|video)\sformat|decode\sthe\s(?:image|video)",
        ),
    )
)
_MEDIUM = re.compile(r"image|photo|picture|video|clip", re.IGNORECASE)


def refusal(answer: Answer) -> PipelineError:
    """The error that *answer*, which is no success, is."""
    try:
        problem = read_problem(answer.data)
    except ApiUnreadable as error:
        if answer.status < _SERVER_ERROR and answer.status not in _BY_STATUS:
            return error
        problem = Problem()
    return _error(_kind(problem, answer.status), problem, answer.status)


def job_failure(problem: Problem) -> PipelineError:
    """The error that a failed job is."""
    return _error(_kind(problem, None), problem, None)


def is_certain(answer: Answer) -> bool:
    """Whether *answer*, which is no success, proves that no job was made."""
    with suppress(ApiUnreadable):
        if _BY_CODE.get((read_problem(answer.data).code or "").lower()) in _CERTAIN:
            return True
    return _CLIENT_ERROR <= answer.status < _SERVER_ERROR and answer.status not in _MAYBE_TAKEN


def media_rule(text: str) -> str | None:
    """The rule of ours that should have caught what *text* says about a file."""
    found = _media(text)
    return found[0] if found else None


def _media(text: str) -> tuple[str | None] | None:
    for clip, image, pattern in _MEDIA_RULES:
        if pattern.search(text):
            rule = image if image and _is_about_image(text, clip) else clip
            return ("video.short" if rule == "video.duration" and _SHORT.search(text) else rule,)
    return None


def _is_about_image(text: str, clip_rule: str | None) -> bool:
    medium = _MEDIUM.search(text)
    if medium is None:
        # Thumbnails given as images make most of the refusals for sides (S9).
        return clip_rule == "video.sides"
    return medium[0].lower() not in {"video", "clip"}


def _kind(problem: Problem, status: int | None) -> _Kind:
    known = _BY_CODE.get((problem.code or "").lower()) or _BY_STATUS.get(status or 0)
    if known:
        return known
    if status is not None and status >= _SERVER_ERROR:
        return _DOWN
    return _kind_by_text(problem.text) or _OTHERWISE.get(status, _REFUSED)


def _kind_by_text(text: str) -> _Kind | None:
    if _POLICY.search(text):
        return _MODERATED
    if _FETCHING.search(text):
        return _FETCH
    return _MEDIA if _media(text) else None


def _error(kind: _Kind, problem: Problem, status: int | None) -> PipelineError:
    raw = foreign(problem.message) if problem.message else None
    code = foreign(problem.code) if problem.code else None
    where = f" (HTTP {status})" if status is not None else ""
    said = f": {raw or code}" if raw or code else ""
    rule = {"rule": media_rule(problem.text)} if kind is _MEDIA else {}
    about = f", by rule {rule['rule']}" if rule.get("rule") else ""
    msg = f"{kind.told}{about}{where}{said}. What to do: {kind.advice}"
    return kind.error(kind.code, msg, raw_code=code, raw_message=raw, status=status, **rule)
