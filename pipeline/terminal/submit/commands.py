"""The commands that speak to the provider, or of it: each parses, calls and prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipeline.terminal.options import Json, Telling, taking
from pipeline.terminal.submit.options import Key, Resuming, Submitting
from pipeline.terminal.submit.voice import voice_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.terminal.submit.outcome import Status
    from pipeline.terminal.submit.voice import Voice
    from pipeline.terminal.submit.work import Ended, Submission

jobs_app = typer.Typer(help="What was submitted, and what became of it.", no_args_is_help=False)


@taking(Submitting)
def submit(asked: Submitting) -> None:
    """Prepare, upload, submit, wait, and bring the clip.

    Nothing is ever sent twice: asked again, the same request is the same job. Exit code 0: the clip
    is here (or --no-wait, and it is accepted); 3: refused for what was asked or given; 1: something
    failed; 4: sent, and nobody knows what became of it.
    """
    # These bring nearly everything; --help does without.
    from pipeline.terminal.submit.order import ordering  # noqa: PLC0415

    order, voice = ordering(asked), voice_for(asked)
    if asked.dry_run:
        _follow(voice, lambda work: work.draft(order), voice.drafted)
    _follow(voice, lambda work: work.submit(order), voice.ended)


@jobs_app.callback(invoke_without_command=True)
def jobs(context: typer.Context, *, json: Json = False) -> None:
    """List the jobs of the ledger, and what they may have cost."""
    if context.invoked_subcommand is None:
        from pipeline.terminal.submit.jobs import everything  # noqa: PLC0415 - as in `submit`

        voice = voice_for(Telling(json=json))
        _tell(voice, "jobs", lambda: voice.listed(everything()))


@jobs_app.command("show")
@taking(Telling, key=Key)
def show_job(key: str, asked: Telling) -> None:
    """Tell all about a job: what was asked, each step, what to do next."""
    from pipeline.terminal.submit.jobs import story  # noqa: PLC0415 - as in `submit`

    voice = voice_for(asked)
    _tell(voice, "job", lambda: voice.shown(story(key)))


@jobs_app.command("resume")
@taking(Resuming, key=Key)
def resume_job(key: str, asked: Resuming) -> None:
    """Wait for a job that was sent, and bring its clip. Nothing is sent by this."""
    from pipeline.terminal.submit.order import waiting_for  # noqa: PLC0415 - as in `submit`

    wait, voice = waiting_for(asked), voice_for(asked)
    _follow(voice, lambda work: work.resume(key, job_id=asked.job_id, wait=wait), voice.ended)


@jobs_app.command("forget")
@taking(Telling, key=Key)
def forget_job(key: str, asked: Telling) -> None:
    """Free the key of a job: the same request is a new job then, and paid for again.

    What the job may have cost stays in the totals.
    """
    from pipeline.terminal.submit.jobs import forget  # noqa: PLC0415 - as in `submit`

    voice = voice_for(asked)
    _tell(voice, "job", lambda: voice.forgotten(forget(key)))


def refresh_profile(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A listed name, or a .toml file.")
    ] = "seedance-2-0-mini",
    *,
    json: Json = False,
) -> None:
    """Ask the provider about the model, and tell where the profile says otherwise.

    Nothing is changed. Exit code 0: they agree; 3: they do not.
    """
    from pipeline.terminal.request import profile_for  # noqa: PLC0415 - as in `submit`
    from pipeline.terminal.submit.work import compared  # noqa: PLC0415 - as above
    from pipeline.terminal.work import Exit  # noqa: PLC0415 - as above

    profile, voice = profile_for(name, "NAME"), voice_for(Telling(json=json))
    found: list[object] = []

    def tell() -> None:
        differences = compared(profile)
        found.extend(differences)
        voice.compared(profile, differences)

    _tell(voice, "comparison", tell)
    raise typer.Exit(Exit.REJECTED if found else Exit.READY)


def _follow(
    voice: Voice, work: Callable[[Submission], Ended], tell: Callable[[Ended], None]
) -> NoReturn:
    """Do *work* step by step, and *tell* how it ended."""
    from pipeline.terminal.submit.steps import Steps  # noqa: PLC0415 - as in `submit`
    from pipeline.terminal.submit.work import Submission  # noqa: PLC0415 - as above

    submission = Submission()
    try:
        with voice.following() as follow:
            submission.steps = Steps(follow)
            ended = work(submission)
    except BaseException:  # Ctrl-C: what was sent goes on, and has to be told of
        if (entry := submission.entry()) is not None:
            voice.left(entry)
        if submission.unheard is not None:
            raise submission.unheard from None  # which Typer ends quietly
        raise
    tell(ended)
    _leave(ended.status)


def _tell(voice: Voice, kind: str, work: Callable[[], None]) -> None:
    """Do *work*, or tell why not."""
    from pipeline.errors import PipelineError  # noqa: PLC0415 - as in `submit`
    from pipeline.terminal.submit.outcome import trouble_of  # noqa: PLC0415 - as above

    try:
        work()
    except PipelineError as error:
        trouble = trouble_of(error)
        voice.troubled(kind, trouble)
        _leave(trouble.status)


def _leave(status: Status) -> NoReturn:
    from pipeline.terminal.submit.outcome import EXITS  # noqa: PLC0415 - as in `submit`

    raise typer.Exit(EXITS[status])
