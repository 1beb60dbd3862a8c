"""What the options of a call mean together; what makes no sense is a usage error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.terminal.options import bad_value
from preprocess import (
    Engine,
    Intent,
    Mode,
    Options,
    Profile,
    ProfileInvalid,
    Target,
    load_profile,
    targets_for,
)

if TYPE_CHECKING:
    from pipeline.terminal.options import Asked, Looking, Shaping

_PAIR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One input of a call."""

    index: int
    """Position among the inputs, from 0."""
    name: str
    """As it was typed."""
    source: Path
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Everything one call asks for."""

    tasks: tuple[Task, ...]
    intent: Intent
    options: Options
    profile: Profile

    @property
    def groups(self) -> list[tuple[Task, ...]]:
        """What is prepared together: the two frames of a pair, else each input for itself."""
        if self.intent.mode is Mode.I2V_BOTH:
            return [self.tasks]
        return [(task,) for task in self.tasks]


def looking(files: list[str], asked: Looking) -> Request:
    """What a call of ``probe`` means."""
    options = Options(deadline_s=asked.deadline)
    return _request(files, Intent(window=asked.window), options, Target())


def asking(files: list[str], asked: Asked) -> Request:
    """What a call of ``check``, ``plan`` or ``normalize`` means.

    Raises:
        typer.BadParameter: options contradict each other, or there is no such profile.
    """
    _check_together(files, asked)
    intent = replace(
        shaping(asked),
        mode=asked.mode,
        role=asked.role,
        ratio=asked.ratio,
        resolution=asked.resolution,
    )
    options = replace(working(asked), deadline_s=asked.deadline, force=asked.force)
    target = Target(output=asked.output, directory=asked.directory)
    return _request(files, intent, options, target)


def shaping(asked: Shaping) -> Intent:
    """How files are made fit, whatever they are for."""
    return Intent(
        profile=asked.profile,
        limits=asked.limits,
        fit=asked.fit,
        gravity=asked.gravity,
        window=asked.window,
        short=asked.short,
        audio=asked.audio,
        verify=asked.verify,
    )


def working(asked: Shaping) -> Options:
    """How the work is done.

    Raises:
        typer.BadParameter: the encoder is none of the engine's.
    """
    if asked.encoder is not None and asked.engine is not Engine.FFMPEG:
        msg = "it is one of an ffmpeg program: add --engine ffmpeg"
        raise bad_value(msg, "--encoder")
    return Options(threads=asked.threads, engine=asked.engine, encoder=asked.encoder)


def _check_together(files: list[str], asked: Asked) -> None:
    if asked.mode is not None and asked.role is not None:
        msg = "a mode decides the role; give one of --mode and --role"
        raise bad_value(msg, "--role")
    if asked.output is not None and asked.directory is not None:
        msg = "-o names the result itself; give one of -o and -d"
        raise bad_value(msg, "-d")
    if asked.output is not None and len(files) > 1:
        msg = f"there are {len(files)} inputs, and -o names one result; use -d DIR"
        raise bad_value(msg, "-o")
    if asked.mode is Mode.I2V_BOTH and len(files) != _PAIR:
        msg = f"i2v_both takes two inputs, start frame then end frame, not {len(files)}"
        raise bad_value(msg, "--mode")


def _request(files: list[str], intent: Intent, options: Options, target: Target) -> Request:
    profile = profile_for(intent.profile, "--profile")
    sources = [Path(name) for name in files]
    targets = targets_for(sources, output=target.output, directory=target.directory)
    tasks = tuple(
        Task(index=index, name=name, source=source, target=each)
        for index, (name, source, each) in enumerate(zip(files, sources, targets, strict=True))
    )
    return Request(tasks=tasks, intent=intent, options=options, profile=profile)


def profile_for(name: str, option: str) -> Profile:
    """The profile of that name, or in that file; *option* is where it was asked for.

    Raises:
        typer.BadParameter: there is none, or it contradicts itself.
    """
    try:
        return load_profile(name)
    except (LookupError, ProfileInvalid) as error:
        raise bad_value(error.args[0], option) from error
