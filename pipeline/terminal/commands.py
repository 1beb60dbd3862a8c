"""The commands: each parses, calls and prints; what they mean is elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipeline.terminal.options import Asked, Files, Json, Looking, Telling, taking
from pipeline.terminal.submit import commands as of_provider
from pipeline.terminal.voice import voice_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.terminal.request import Task
    from pipeline.terminal.work import Look
    from preprocess import Status

app = typer.Typer(
    name="clipready",
    help="Turns any clip into what a video-generation model accepts, at the least cost in time "
    "and quality. Start with: clipready plan FILE",
    no_args_is_help=True,
    add_completion=False,
    # Locals may hold what nobody should see in a log.
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
profiles_app = typer.Typer(
    help="What the models take: the limits, with their sources.", no_args_is_help=False
)
app.add_typer(profiles_app, name="profiles")


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it
    if wanted:
        from preprocess import own_version  # noqa: PLC0415 - this alone needs it

        typer.echo(f"clipready {own_version()}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which this is."),
    ] = False,
) -> None:
    """Take the options before the command."""


@app.command()
@taking(Looking, files=Files)
def probe(files: list[str], asked: Looking) -> None:
    """Say what each FILE is, measured.

    What only its header claims is marked as such. Put -- before names that start with a dash.
    """
    # These bring nearly everything; --help does without.
    from pipeline.terminal import request, work  # noqa: PLC0415

    call, voice = request.looking(files, asked), voice_for(asked)

    def one(task: Task) -> Status | None:
        found = work.look(task, call)
        voice.probed(task, found)
        return found.status

    _exit(one(task) for task in call.tasks)


@app.command()
@taking(Asked, files=Files)
def check(files: list[str], asked: Asked) -> None:
    """Say whether each FILE is accepted as it is, or why not.

    Exit code 0: all of them; 3: not all. Put -- before names that start with a dash.
    """
    from pipeline.terminal import request, work  # noqa: PLC0415 - as in `probe`
    from preprocess import Status  # noqa: PLC0415 - as in `probe`

    call, voice = request.asking(files, asked), voice_for(asked)

    def one(task: Task, found: Look) -> Status | None:
        voice.checked(task, found)
        return found.status if found.accepted or found.status else Status.REJECTED

    _exit(one(*each) for group in call.groups for each in work.consider(group, call))


@app.command()
@taking(Asked, files=Files)
def plan(files: list[str], asked: Asked) -> None:
    """Say what would be done to each FILE, and why.

    And what comes out, and what its seconds cost. Nothing is written. Put -- before names that
    start with a dash.
    """
    from pipeline.terminal import request, work  # noqa: PLC0415 - as in `probe`

    call, voice = request.asking(files, asked), voice_for(asked)

    def one(task: Task, found: Look) -> Status | None:
        voice.planned(task, found)
        return found.status

    _exit(one(*each) for group in call.groups for each in work.plan(group, call))


@app.command()
@taking(Asked, files=Files)
def normalize(files: list[str], asked: Asked) -> None:
    """Make each FILE fit, and verify the result.

    What is fine already is left alone. The result stands beside the input as <stem>.ready.mp4,
    with a receipt; inputs are never written to. Put -- before names that start with a dash.
    """
    from pipeline.terminal import request, work  # noqa: PLC0415 - as in `probe`

    call, voice = request.asking(files, asked), voice_for(asked)
    results = []
    try:
        for group in call.groups:
            with voice.working(group, len(call.tasks)) as on_progress:
                done = work.prepare(group, call, on_progress)
            for task, report in done:
                voice.prepared(task, report)
                results.append((task, report))
    finally:  # after Ctrl-C too: what is done, is done
        if results:
            voice.ended(results)
    _exit(report.status for _, report in results)


@profiles_app.callback(invoke_without_command=True)
def profiles(context: typer.Context, *, json: Json = False) -> None:
    """List the profiles: whose limits can be asked for."""
    if context.invoked_subcommand is None:
        from preprocess import load_profile, profile_names  # noqa: PLC0415 - as in `probe`

        voice_for(Telling(json=json)).listed([load_profile(name) for name in profile_names()])


@profiles_app.command("show")
def show_profile(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A listed name, or a .toml file.")],
    *,
    json: Json = False,
) -> None:
    """Show every limit of a profile, and who says so."""
    from pipeline.terminal.request import profile_for  # noqa: PLC0415 - as in `probe`

    voice_for(Telling(json=json)).described(profile_for(name, "NAME"))


app.command()(of_provider.submit)
app.add_typer(of_provider.jobs_app, name="jobs")
profiles_app.command("refresh")(of_provider.refresh_profile)


def _exit(statuses: Iterable[Status | None]) -> NoReturn:
    from pipeline.terminal.work import exit_code  # noqa: PLC0415 - as in `probe`

    raise typer.Exit(exit_code(statuses))
