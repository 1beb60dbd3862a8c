"""What the options of a submission mean together; what makes no sense is a usage error."""

from __future__ import annotations

import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.jobs import WAIT_S
from pipeline.request import GenerationRequest
from pipeline.terminal.options import bad_value
from pipeline.terminal.request import profile_for, shaping, working
from pipeline.terminal.submit.options import AUTO
from preprocess import Intent, Options

if TYPE_CHECKING:
    from pipeline.terminal.submit.options import Resuming, Submitting
    from preprocess import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How a clip is waited for."""

    directory: Path
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Everything one call of ``submit`` asks for."""

    request: GenerationRequest
    intent: Intent
    options: Options
    store: str | None
    """``None``: as the settings say."""
    as_is: bool
    key: str | None
    max_cost_usd: Decimal | None
    wait: Wait | None
    """``None``: not at all."""


def ordering(asked: Submitting) -> Order:
    """What a call of ``submit`` means.

    Whether its values go together is not asked here: the profile decides, all at once.

    Raises:
        typer.BadParameter: there is no such profile or folder, or options contradict each other.
    """
    if asked.dry_run and asked.no_wait:
        msg = "a dry run sends nothing that could be waited for; give one of the two"
        raise bad_value(msg, "--no-wait")
    profile = profile_for(asked.profile, "--profile")
    waiting = waiting_for(asked)
    return Order(
        request=_request(asked, profile),
        intent=shaping(asked),
        options=working(asked),
        store=asked.store,
        as_is=asked.as_is,
        key=asked.key,
        max_cost_usd=asked.max_cost,
        wait=None if asked.no_wait else waiting,
    )


def _request(asked: Submitting, profile: Profile) -> GenerationRequest:
    picked = asked.duration == AUTO
    return GenerationRequest(
        model=profile.model,
        prompt=asked.prompt,
        mode=asked.mode,
        resolution=asked.resolution,
        aspect_ratio=asked.ratio,
        custom_duration=False if picked else None,
        duration=None if picked or asked.duration is None else int(asked.duration),
        generate_audio=False if asked.no_audio else None,
        negative_prompt=asked.negative_prompt,
        image=asked.image,
        image_end=asked.image_end,
        video=asked.video,
    )


def waiting_for(asked: Submitting | Resuming) -> Wait:
    """How a call waits.

    Raises:
        typer.BadParameter: no clip could be written there; better known before it is paid for.
    """
    if not asked.directory.is_dir() or not os.access(asked.directory, os.W_OK | os.X_OK):
        msg = f"{str(asked.directory)!r} is no folder that can be written to; make it first"
        raise bad_value(msg, "-d")
    return Wait(directory=asked.directory, deadline_s=asked.deadline or WAIT_S)
