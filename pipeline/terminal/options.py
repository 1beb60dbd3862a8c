"""The options of the commands, each declared once. What they mean together is in `request`."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from inspect import Parameter, Signature, get_annotations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from pipeline.terminal.text import clean
from preprocess import (
    AudioChoice,
    Encoder,
    Engine,
    Fit,
    Gravity,
    Intent,
    Limits,
    Mode,
    Resolution,
    Role,
    Short,
    VerifyLevel,
    Window,
    parse_window,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

T = TypeVar("T", bound="Telling")
_DEFAULT = Intent()
_MAX_DEADLINE_S = 7 * 86_400
_MAX_THREADS = 128


# --- values that are more than a word ------------------------------------------------------------


def _window(text: str) -> Window:
    try:
        return parse_window(text)
    except ValueError as error:
        raise bad_value(error, "--window") from error


def _ratio(text: str) -> str:
    try:
        _ = Intent(ratio=text).wanted_aspect
    except ValueError as error:
        raise bad_value(error, "--ratio") from error
    return text


def deadline_s(text: str) -> float:
    """Seconds, as typed for ``--deadline``."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _MAX_DEADLINE_S:
        msg = f"{text!r} is not a number of seconds above 0, at most {_MAX_DEADLINE_S} (a week)"
        raise bad_value(msg, "--deadline")
    return seconds


def _listed(choices: type[StrEnum]) -> str:
    return ", ".join(choice.value for choice in choices)


def bad_value(problem: object, option: str) -> typer.BadParameter:
    """The usage error for *option*; *problem* may quote what somebody typed."""
    return typer.BadParameter(clean(str(problem)), param_hint=f"'{option}'")


# --- the options ---------------------------------------------------------------------------------

Files = Annotated[list[str], typer.Argument(metavar="FILE", hidden=True)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")]
Deadline = Annotated[
    float | None,
    typer.Option(
        parser=deadline_s,
        metavar="SECONDS",
        help="Give up on a file after this long.",
        show_default="by the size of the work",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Options of every command that looks at files; they come last in its help."""

    json: Json = False
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tell people more.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking(Telling):
    """Options of ``probe``."""

    window: Annotated[
        Window | None,
        typer.Option(
            parser=_window,
            metavar="WINDOW",
            help="Which part is measured picture by picture: head, tail or START..END.",
            show_default="head",
        ),
    ] = None
    deadline: Deadline = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping(Telling):
    """Options about how a file is made fit, whatever it is for."""

    profile: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Whose limits hold: a name that `clipready profiles` lists, or a .toml file.",
        ),
    ] = _DEFAULT.profile
    limits: Annotated[
        Limits,
        typer.Option(
            help="Which of its limits: safe satisfies every published generation of them, "
            "documented the newest text; trusted is for files the model itself made.",
        ),
    ] = _DEFAULT.limits
    fit: Annotated[
        Fit | None,
        typer.Option(
            help="How another shape is reached: cut, black at the sides, or a blurred copy behind.",
            show_default="pad; frames crop",
        ),
    ] = None
    gravity: Annotated[
        Gravity,
        typer.Option(
            metavar="WHERE",
            help=f"Which part of a cropped image is kept: {_listed(Gravity)} (the detail).",
        ),
    ] = _DEFAULT.gravity
    window: Annotated[
        Window | None,
        typer.Option(
            parser=_window,
            metavar="head|tail|START..END",
            help="Which part of a longer clip; START and END in seconds or [h:]mm:ss from the "
            "first picture shown. A part longer than the limit is refused.",
            show_default="head; extend tail",
        ),
    ] = None
    short: Annotated[
        Short,
        typer.Option(
            help="A clip under the shortest length is refused, or its last picture held, "
            "or all of it repeated.",
        ),
    ] = _DEFAULT.short
    audio: Annotated[AudioChoice, typer.Option(help="Whether sound stays.")] = _DEFAULT.audio
    verify: Annotated[
        VerifyLevel,
        typer.Option(
            help="How much of a result is decoded before it is trusted: its first and last "
            "pictures, or all.",
        ),
    ] = _DEFAULT.verify
    engine: Annotated[
        Engine,
        typer.Option(
            help="What encodes clips: FFmpeg's libraries, which come along, or an ffmpeg program "
            "(CLIPREADY_FFMPEG, else the one on the path, else imageio-ffmpeg's).",
        ),
    ] = Engine.AV
    encoder: Annotated[
        Encoder | None,
        typer.Option(
            metavar="ENCODER",
            help=f"Of --engine ffmpeg: {_listed(Encoder)}. Tried on a few pictures first.",
            show_default="libx264",
        ),
    ] = None
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=_MAX_THREADS,
            metavar="N",
            help="For decoder, filters and encoder each.",
            show_default="the cores at hand",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Shaping):
    """Options of ``check``, ``plan`` and ``normalize``."""

    mode: Annotated[
        Mode | None,
        typer.Option(
            metavar="MODE",
            help=f"What will be generated: {_listed(Mode)} (two files: START END).",
            show_default="by content: video edit, image i2v_first",
        ),
    ] = None
    role: Annotated[
        Role | None,
        typer.Option(
            metavar="ROLE",
            help=f"Instead of --mode, what the file is for: {_listed(Role)}.",
            show_default=False,
        ),
    ] = None
    resolution: Annotated[
        Resolution,
        typer.Option(help="Size of first and last frames only; it has no effect on video."),
    ] = Resolution.P720
    ratio: Annotated[
        str,
        typer.Option(
            parser=_ratio,
            metavar="adaptive|W:H",
            help="Shape of the result, as 16:9; adaptive keeps it unless a limit forbids.",
        ),
    ] = _DEFAULT.ratio
    deadline: Deadline = None
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The result, for a single input.",
            show_default="<stem>.ready.mp4 beside the input",
        ),
    ] = None
    directory: Annotated[
        Path | None,
        typer.Option(
            "-d",
            "--directory",
            metavar="DIR",
            help="Folder for the results; files that need no change are copied there.",
            show_default=False,
        ),
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Replace results that exist.")] = False


# --- from declarations to commands ---------------------------------------------------------------


def taking(
    asked: type[T], **arguments: object
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of *arguments*, declared as Typer has it, and of the fields of *asked*.

    In its help the options that are its own come first.
    """
    hints = get_type_hints(asked, include_extras=True)
    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=declared)
        for name, declared in arguments.items()
    ]
    parameters += [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            annotation=hints[field.name],
            default=Parameter.empty if field.default is MISSING else field.default,
        )
        for field in sorted(fields(asked), key=lambda field: _age(asked, field.name))
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(**given: Any) -> None:  # noqa: ANN401 - as declared
            words = [given.pop(name) for name in arguments]
            command(*words, asked(**given))

        run.__name__ = command.__name__
        run.__doc__ = command.__doc__
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        return run

    return decorate


def _age(asked: type, name: str) -> int:
    """How many classes down from *asked* the field *name* was first declared."""
    declaring = [age for age, kind in enumerate(asked.__mro__) if name in get_annotations(kind)]
    return declaring[-1]
