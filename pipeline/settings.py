"""What the surroundings say: the key, where the provider is, where files and state go."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from platformdirs import user_state_path
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import Authentication, ErrorCode, SettingsInvalid

_KEY_NAME = "EMPIRIOLABS_API_KEY"


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine, by its name or address alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_base(url: str) -> str:
    # The vendor's clients are given the root or /v1 (docs.empiriolabs.ai/api-reference-overview).
    url = url.rstrip("/").removesuffix("/v1")
    parts = urlsplit(url)
    if parts.username is not None or parts.query or parts.fragment:
        msg = "the address must hold no user, password, query or fragment"
        raise ValueError(msg)
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        msg = "not a web address; give one such as https://api.example.com"
        raise ValueError(msg)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        msg = "plain http shows the key to everybody on the way; allowed: https, http to 127.0.0.1"
        raise ValueError(msg)
    return url


def _checked_key(key: SecretStr | None) -> SecretStr | None:
    if key is None or not key.get_secret_value().strip():
        return None
    text = key.get_secret_value().strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        msg = "the key holds blanks or characters that no key has; copy it again"
        raise ValueError(msg)
    return SecretStr(text)


def _none_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


class Settings(BaseSettings):
    """Settings by environment; see docs/submit.md. A variable that is empty counts as unset."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    api_key: Annotated[SecretStr | None, AfterValidator(_checked_key)] = Field(
        default=None, validation_alias=_KEY_NAME
    )
    base_url: Annotated[str, AfterValidator(_checked_base)] = Field(
        default="https://api.empiriolabs.ai", validation_alias="CLIPREADY_BASE_URL"
    )
    """Without ``/v1``. Plain http to this machine only."""
    store: Annotated[str | None, BeforeValidator(_none_if_blank)] = Field(
        default=None, validation_alias="CLIPREADY_STORE"
    )
    """Where prepared files are put for the provider to fetch, for example ``s3://bucket/prefix``."""
    home: Path = Field(
        default_factory=lambda: user_state_path("clipready"), validation_alias="CLIPREADY_HOME"
    )
    """Folder of the ledger; made when needed."""
    requests_per_minute: int = Field(
        default=50, ge=1, validation_alias="CLIPREADY_REQUESTS_PER_MINUTE"
    )
    """For the whole account, polling included (docs.empiriolabs.ai/rate-limits-api-keys)."""
    poll_interval_s: float = Field(
        default=5.0, gt=0, allow_inf_nan=False, validation_alias="CLIPREADY_POLL_INTERVAL"
    )
    """The shortest pause between two looks at one job; the vendor's sample waits 5 s."""

    call_deadline_s: float = Field(
        default=120.0, gt=0, allow_inf_nan=False, validation_alias="CLIPREADY_CALL_DEADLINE"
    )
    """For one exchange with the provider. A request that is cut off has an unknown outcome, and the
    provider may look at the media before it answers; so this is long."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the environment.

        Raises:
            SettingsInvalid: a variable makes no sense; every such variable is named.
        """
        try:
            return cls()
        except ValidationError as error:
            told = "; ".join(
                f"{'.'.join(str(part) for part in each['loc'])}: "
                f"{each['msg'].removeprefix('Value error, ')}"
                for each in error.errors(include_input=False, include_context=False)
            )
        # Not chained: the cause would show what was in the variable.
        msg = f"settings cannot be used: {told}"
        raise SettingsInvalid(ErrorCode.SETTINGS_INVALID, msg)

    @property
    def key(self) -> str:
        """The key of the account, in the clear.

        Raises:
            Authentication: there is none.
        """
        if self.api_key is None:
            msg = f"no key of the provider; set {_KEY_NAME} to the key of your account"
            raise Authentication(ErrorCode.API_KEY_MISSING, msg)
        return self.api_key.get_secret_value()

    @property
    def is_local(self) -> bool:
        """Whether the provider is a stand-in on this machine."""
        return urlsplit(self.base_url).scheme == "http"
