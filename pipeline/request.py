"""What a generation is asked for, held against the profile: all objections at once. Pure.

Types and names are written here; ranges, choices and defaults are the profile's, so that each
stands in one place. ``None`` means the profile's default.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast, runtime_checkable
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from pipeline.errors import RequestRejected
from preprocess import Profile, Reason, Role

if TYPE_CHECKING:
    from preprocess import ApiParameter

AUTO = "auto"
MEDIA_FIELDS = ("image", "image_end", "video")


@runtime_checkable
class BinaryFile(Protocol):
    """Anything open for reading bytes."""

    def read(self, size: int, /) -> bytes:
        """At most *size* bytes; none at the end."""
        ...


Medium = str | os.PathLike[str] | bytes | BinaryFile
"""A path or URL, the bytes themselves, or a file open for reading them."""


def _medium(value: object) -> Medium | None:
    if value is None or isinstance(value, str | bytes | BinaryFile):
        return value
    if isinstance(value, os.PathLike):
        return cast("os.PathLike[str]", value)
    msg = f"a {type(value).__name__} is no medium: give a path, a URL, bytes or a binary file"
    raise ValueError(msg)


_Medium = Annotated[Any, PlainValidator(_medium), WithJsonSchema({"type": "string"})]


class GenerationRequest(BaseModel):
    """Every parameter of ``POST /v1/videos/generations``, by its documented name.

    What is not named here is an error. `resolve` says whether the values go together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: StrictStr = "seedance-2-0-mini"
    """Also the name of the profile."""
    prompt: StrictStr
    mode: StrictStr | None = None
    """``auto``: decided from the media, see `resolve`."""
    resolution: StrictStr | None = None
    """Of the clip that is made: ``480p``, ``720p``."""
    aspect_ratio: StrictStr | None = None
    """``adaptive``: as the media are; otherwise ``16:9`` and others."""
    custom_duration: StrictBool | None = None
    """``False``: the model picks the length."""
    duration: StrictInt | StrictFloat | None = None
    """Seconds, whole ones."""
    generate_audio: StrictBool | None = None
    image: _Medium = None
    """First frame, or reference."""
    image_end: _Medium = None
    """Last frame."""
    video: _Medium = None
    """The clip to edit, extend or refer to."""
    negative_prompt: StrictStr | None = None

    @property
    def media(self) -> dict[str, Medium]:
        """What is given, by field."""
        given = {field: getattr(self, field) for field in MEDIA_FIELDS}
        return {field: medium for field, medium in given.items() if medium is not None}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Media by what they are: no megabytes, and no signature of a URL."""
        media = self.media
        for field, value in super().__repr_args__():
            yield field, shown(media[field]) if field in media else value


_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|data:", re.ASCII)


def is_url(medium: Medium) -> bool:
    """Whether *medium* is a URL, of whatever scheme, rather than the name of a file."""
    return isinstance(medium, str) and _URL.match(medium) is not None


def shown(medium: Medium) -> str:
    """A medium for people; of a URL neither user nor query, which may hold a secret."""
    if isinstance(medium, bytes):
        return f"{len(medium)} bytes"
    if is_url(medium):
        return shown_url(str(medium))
    if isinstance(medium, str | os.PathLike):
        return str(PurePath(medium))
    return "an open file"


def shown_url(url: str) -> str:
    """A URL without user, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a malformed URL"
    if not parts.netloc:
        return f"{parts.scheme}:…"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A request that the profile has no objection to."""

    request: GenerationRequest
    profile: Profile
    mode: str
    parameters: Mapping[str, bool | int | str]
    """All that is sent besides the media, in the profile's order, defaults filled in."""

    @property
    def media(self) -> dict[str, Medium]:
        """By field."""
        return self.request.media

    @property
    def roles(self) -> dict[str, Role]:
        """What each medium is for, by field."""
        fields = self.profile.modes[self.mode].media
        return {field: fields[field].role for field in self.media}


def resolve(request: GenerationRequest, profile: Profile) -> Resolved:
    """Fill in defaults, decide the mode, and see whether the values go together.

    ``auto`` becomes the first mode that takes exactly what is given, in the order t2v, i2v_first,
    i2v_both, edit, extend, reference: the model page says "decided from the inputs", and no more
    (2026). So a clip is edited, and one with an end frame extended.

    Raises:
        RequestRejected: with every objection.
    """
    objections = list(_model(request, profile))
    values: dict[str, bool | int | str] = {}
    for name, parameter in profile.parameters.items():
        if parameter.type != "url":
            found = _value(name, parameter, request, profile)
            if isinstance(found, Reason):
                objections.append(found)
            elif found is not None:
                values[name] = found
    objections += _unknown(request, profile)
    objections += _unreadable(request)
    mode = str(values.get("mode", ""))
    if mode == AUTO:
        mode = values["mode"] = _mode_for(request.media, profile) or AUTO
    if mode == AUTO:
        objections.append(_no_mode(request.media, profile))
    elif mode:
        objections += _matrix(mode, request.media, profile)
    if objections:
        raise RequestRejected(objections)
    return Resolved(request=request, profile=profile, mode=mode, parameters=values)


def _model(request: GenerationRequest, profile: Profile) -> Iterator[Reason]:
    if request.model != profile.model:
        yield Reason(
            rule="request.model",
            measured=repr(request.model),
            limit=profile.model,
            value=request.model,
            limit_value=profile.model,
            fix="name that model, or use the profile of the other",
        )


# --- parameters --------------------------------------------------------------------------------


def _value(
    name: str, parameter: ApiParameter, request: GenerationRequest, profile: Profile
) -> bool | int | str | Reason | None:
    """What is sent as *name*; ``None``: nothing."""
    given = getattr(request, name, None)
    if parameter.only_with and not _switched_on(parameter.only_with, request, profile):
        if given is None:
            return None
        return Reason(
            rule=f"request.{name}",
            measured=f"{given!r}, and {parameter.only_with} is false",
            limit=f"only with {parameter.only_with}",
            fix=f"leave {name} out, or set {parameter.only_with} to true",
        )
    value = parameter.default if given is None else given
    if value is None and not parameter.required:
        return None
    return _CHECKS[parameter.type](name, parameter, value)


def _switched_on(switch: str, request: GenerationRequest, profile: Profile) -> bool:
    given = getattr(request, switch, None)
    return bool(profile.parameters[switch].default if given is None else given)


def _boolean(name: str, _: ApiParameter, value: object) -> bool | Reason:
    if isinstance(value, bool):
        return value
    return Reason(rule=f"request.{name}", measured=repr(value), limit="true or false", fix=None)


def _choice(name: str, parameter: ApiParameter, value: object) -> str | Reason:
    if isinstance(value, str) and value in parameter.allowed:
        return value
    return Reason(
        rule=f"request.{name}",
        measured=repr(value),
        limit=", ".join(parameter.allowed),
        value=value if isinstance(value, str) else None,
        fix="use one of these",
    )


def _whole(name: str, parameter: ApiParameter, value: object) -> int | Reason:
    low, high = parameter.min, parameter.max
    if (
        isinstance(value, int | float)
        and value % 1 == 0
        and (low is None or value >= low)
        and (high is None or value <= high)
    ):
        return int(value)
    bounds = f"{'' if low is None else low} to {'' if high is None else high}".strip()
    bound = high if isinstance(value, int | float) and high is not None and value > high else low
    return Reason(
        rule=f"request.{name}",
        measured=repr(value),
        limit=f"a whole number, {bounds}",
        value=value if isinstance(value, int | float) else None,
        limit_value=bound,
        fix="use a whole number within these",
    )


def _text(name: str, parameter: ApiParameter, value: object) -> str | Reason:
    rule, longest = f"request.{name}", parameter.max
    if not isinstance(value, str) or (parameter.required and not value.strip()):
        return Reason(rule=rule, measured="empty", limit="some text", fix="say what is wanted")
    if longest is not None and len(value) > longest:
        return Reason(
            rule=rule,
            measured=f"{len(value)} characters",
            limit=f"<= {longest}",
            value=len(value),
            limit_value=longest,
            unit="characters",
            fix="shorten it",
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        measured = "half a surrogate pair, which no text can carry"
        return Reason(rule=rule, measured=measured, limit="Unicode text", fix="remove it")
    return value


_CHECKS = {"boolean": _boolean, "enum": _choice, "integer": _whole, "string": _text}


def _unknown(request: GenerationRequest, profile: Profile) -> Iterator[Reason]:
    """What is given and this model has no parameter for."""
    for name in type(request).model_fields:
        given = name != "model" and getattr(request, name) is not None
        if given and name not in profile.parameters:
            yield Reason(
                rule=f"request.{name}",
                measured="given",
                limit=f"the parameters of {profile.model}: {', '.join(profile.parameters)}",
                fix="leave it out",
            )


# --- modes and media ---------------------------------------------------------------------------

_AUTO_ORDER = ("t2v", "i2v_first", "i2v_both", "edit", "extend", "reference")


def _unreadable(request: GenerationRequest) -> Iterator[Reason]:
    for field, medium in request.media.items():
        if isinstance(medium, str | bytes) and not medium:
            yield Reason(
                rule="request.media",
                measured=f"{field} is empty",
                limit="a path, a URL, bytes or a binary file",
                value=field,
                fix=f"give one, or leave {field} out",
            )


def _mode_for(media: Mapping[str, Medium], profile: Profile) -> str | None:
    fitting = (mode for mode in _AUTO_ORDER if mode in profile.modes)
    return next((mode for mode in fitting if not _matrix(mode, media, profile)), None)


def _no_mode(media: Mapping[str, Medium], profile: Profile) -> Reason:
    return Reason(
        rule="request.mode",
        measured=f"auto, with {_listed(media)}",
        limit="; ".join(f"{mode}: {_taken(mode, profile)}" for mode in profile.modes),
        value=AUTO,
        fix="give what one of these modes takes",
    )


def _matrix(mode: str, media: Mapping[str, Medium], profile: Profile) -> list[Reason]:
    """What *mode* misses, and what it does not take."""
    fields = profile.modes[mode].media
    missing = [f for f, spec in fields.items() if spec.use == "required" and f not in media]
    alternatives = [f for f, spec in fields.items() if spec.use == "alternative"]
    objections = [_missing(mode, field, profile) for field in missing]
    if alternatives and not set(alternatives) & set(media):
        objections.append(_missing(mode, " or ".join(alternatives), profile))
    for field in media:
        if field not in fields:
            others = [other for other, spec in profile.modes.items() if field in spec.media]
            objections.append(
                Reason(
                    rule="request.media",
                    measured=f"{field} given, in mode {mode}",
                    limit=f"{mode} takes {_taken(mode, profile)}",
                    value=field,
                    fix=f"leave {field} out, or use {' or '.join(others) or 'another model'}",
                )
            )
    return objections


def _missing(mode: str, what: str, profile: Profile) -> Reason:
    return Reason(
        rule="request.media",
        measured=f"no {what}, in mode {mode}",
        limit=f"{mode} takes {_taken(mode, profile)}",
        value=what,
        fix=f"give {what}, or use another mode",
    )


def _taken(mode: str, profile: Profile) -> str:
    fields = profile.modes[mode].media
    if not fields:
        return "no media"
    alternatives = [field for field, spec in fields.items() if spec.use == "alternative"]
    parts = [field for field, spec in fields.items() if spec.use == "required"]
    parts += [" or ".join(alternatives)] if alternatives else []
    parts += [f"{field} (optional)" for field, spec in fields.items() if spec.use == "optional"]
    return ", ".join(parts)


def _listed(media: Mapping[str, Medium]) -> str:
    return " and ".join(media) or "no media"


# --- what is posted ----------------------------------------------------------------------------


def body(resolved: Resolved, urls: Mapping[str, str]) -> dict[str, bool | int | str]:
    """The JSON object that is posted; *urls* are those of the media, by field.

    Raises:
        ValueError: a URL is missing, or one too many.
    """
    if set(urls) != set(resolved.media):
        msg = f"URLs of {_listed(resolved.media)} are needed, not of {', '.join(urls) or 'nothing'}"
        raise ValueError(msg)
    media = {field: urls[field] for field in MEDIA_FIELDS if field in urls}
    return {"model": resolved.profile.model, **resolved.parameters, **media}


def job_key(resolved: Resolved, digests: Mapping[str, str]) -> str:
    """The name of a job by its content: one key, one generation that is paid for.

    *digests*: those of the media, by field, see `pipeline.digests`. Where and how long they can be
    fetched is no part of it.

    Raises:
        ValueError: a digest is missing, or one too many.
    """
    if set(digests) != set(resolved.media):
        msg = f"digests of {_listed(resolved.media)} are needed"
        raise ValueError(msg)
    content = {
        "provider": resolved.profile.provider,
        "model": resolved.profile.model,
        "parameters": dict(resolved.parameters),
        "media": dict(digests),
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
