"""The options of the commands that speak to the provider. What they mean is in `order`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from pipeline.terminal.options import Shaping, Telling, bad_value, deadline_s

AUTO = "auto"


def _duration(text: str) -> str:
    if text != AUTO and not (text.isascii() and text.isdigit()):
        msg = f"{text!r} is neither a whole number of seconds nor {AUTO}"
        raise bad_value(msg, "--duration")
    return text


def _usd(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        msg = f"{text!r} is no amount of US dollars, such as 2.50"
        raise bad_value(msg, "--max-cost")
    return amount


Key = Annotated[
    str,
    typer.Argument(metavar="KEY", help="Of the job, or the beginning of it that is no other's."),
]


Directory = Annotated[
    Path,
    typer.Option(
        "-d", "--directory", metavar="DIR", help="Folder for the clip.", show_default="this one"
    ),
]
Deadline = Annotated[
    float | None,
    typer.Option(
        parser=deadline_s,
        metavar="SECONDS",
        help="Wait for the clip no longer than this; the job goes on.",
        show_default="900",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resuming(Telling):
    """Options of ``jobs resume``."""

    directory: Directory = Path()
    deadline: Deadline = None
    job_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The provider's number of a job whose outcome is unknown, from its own list.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitting(Shaping):
    """Options of ``submit``."""

    prompt: Annotated[str, typer.Option(metavar="TEXT", help="What is wanted.", show_default=False)]
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="t2v, i2v_first, i2v_both, reference, edit or extend; auto decides by the media.",
            show_default=AUTO,
        ),
    ] = None
    video: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL", help="The clip to edit, extend or refer to.", show_default=False
        ),
    ] = None
    image: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="First frame, or a reference.", show_default=False),
    ] = None
    image_end: Annotated[
        str | None, typer.Option(metavar="FILE|URL", help="Last frame.", show_default=False)
    ] = None
    resolution: Annotated[
        str | None,
        typer.Option(
            metavar="480p|720p", help="Of the clip that is made.", show_default="the profile's"
        ),
    ] = None
    ratio: Annotated[
        str | None,
        typer.Option(
            metavar="adaptive|W:H",
            help="Shape of the clip that is made, and of its frames.",
            show_default="the profile's",
        ),
    ] = None
    duration: Annotated[
        str | None,
        typer.Option(
            parser=_duration,
            metavar=f"SECONDS|{AUTO}",
            help=f"Length of the clip that is made, in whole seconds; {AUTO}: the model picks it.",
            show_default="the profile's",
        ),
    ] = None
    no_audio: Annotated[bool, typer.Option("--no-audio", help="Make the clip without sound.")] = (
        False
    )
    negative_prompt: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What is not wanted.", show_default=False),
    ] = None
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the provider fetches files from: s3://BUCKET/PREFIX, provider: or data:.",
            show_default="CLIPREADY_STORE",
        ),
    ] = None
    as_is: Annotated[
        bool,
        typer.Option("--as-is", help="Pass public https URLs on, unprepared."),
    ] = False
    max_cost: Annotated[
        Decimal | None,
        typer.Option(
            parser=_usd,
            metavar="USD",
            help="Refuse what may cost more.",
            show_default="no limit",
        ),
    ] = None
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Name of the job: the same one is never sent twice.",
            show_default="by the request's content",
        ),
    ] = None
    directory: Directory = Path()
    deadline: Deadline = None
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print what would be posted, and its price; prepare and send nothing."
        ),
    ] = False
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Leave once the job is accepted.")] = (
        False
    )
