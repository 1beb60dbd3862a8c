"""Texts without secrets: what may be shown, logged and kept.

A signed URL is a key to what it names, and its signature stands in the query; a provider may
repeat in an error what it was sent. So no query, no user info and no key survives here.
"""

from __future__ import annotations

import logging
import re

MAX_TEXT = 500
"""Characters of a stranger's text that are kept."""

_URL_SECRETS = re.compile(
    r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)(?:[^\s/?#@\"'<>]*@)?([^\s?#\"'<>]*)(\?[^\s\"'<>]*)?"
)
# Keys of the provider begin so (docs.empiriolabs.ai/authentication); a bearer's is a key, too.
_KEYS = re.compile(r"(?i)\b(sk-[a-z]+-|bearer\s+)[^\s\"',;}]+")
# Of signatures that stand outside a URL: SigV4, Google, Azure.
_PARAMETERS = re.compile(
    r"(?i)\b(x-(?:amz|goog)-(?:signature|credential|security-token)|sig|signature|token)=[^\s&\"']+"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def redacted(text: str, *secrets: str) -> str:
    """*text* without *secrets*, keys, signatures and the queries of URLs."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _URL_SECRETS.sub(lambda m: f"{m[1]}{m[2]}{'?***' if m[3] else ''}", text)
    text = _KEYS.sub(r"\1***", text)
    return _PARAMETERS.sub(r"\1=***", text)


def foreign(text: str, *secrets: str) -> str:
    """A stranger's *text* as we repeat it: `redacted`, on one line, of bearable length."""
    told = _CONTROL.sub(" ", redacted(text[: 20 * MAX_TEXT], *secrets).replace("\n", " ")).strip()
    return told if len(told) <= MAX_TEXT else f"{told[:MAX_TEXT]}…"


class RedactingFilter(logging.Filter):
    """httpx logs whole URLs at INFO, and httpcore headers at DEBUG (0.28.1, 1.0.9)."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without its secrets."""
        record.msg, record.args = redacted(record.getMessage()), None
        return True


_LOGGERS = (
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
)


def guard_logs() -> None:
    """Have the loggers of the HTTP library tell no secrets, from now on."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, RedactingFilter) for each in logger.filters):
            logger.addFilter(RedactingFilter())
