"""The front door: what callers import from ``preprocess``, for sync and asyncio."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

from preprocess.errors import FailureCode, InputRejected, PreparationFailed
from preprocess.facts import Facts
from preprocess.intent import Intent, Mode
from preprocess.pair import report_pair, report_pair_plan
from preprocess.plan import Plan, Reason, Rejection, Route
from preprocess.prepare import report_command, report_facts, report_file, report_plan, report_whole
from preprocess.report import Report, Status
from preprocess.task import OnProgress, Options, Progress, Target, targets_for
from preprocess.worker.client import Cancel

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Source = str | os.PathLike[str]
_DEFAULT_INTENT = Intent()
_DEFAULT_PAIR = Intent(mode=Mode.I2V_BOTH)
_DEFAULT_OPTIONS = Options()
_BESIDE_INPUT = Target()
CALLS_AT_ONCE = max(4, os.cpu_count() or 1)
"""Of one event loop; further calls wait for their turn, in order. Beyond the cores an encode only
slows the others; four cover a program that mostly waits for disks."""
_turns: WeakValueDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakValueDictionary()
"""Of loops in which calls run or wait: the last one takes its entry along."""
_OTHERS_FAULT = ("input.pair", FailureCode.PAIR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A file that passed verification. Only `prepare_file` makes one."""

    path: Path
    """The ready file; the input itself where nothing had to be done."""
    route: Route
    reasons: tuple[Reason, ...]
    """Why it was changed; empty for `Route.KEEP`."""
    sha256: str | None
    """Of what was written; ``None`` where nothing was."""
    facts: Facts
    """Of the ready file."""
    receipt: Path | None
    report: Report
    """The whole story: checks, attempts, timings in seconds."""


def probe_file(
    source: Source, *, intent: Intent = _DEFAULT_INTENT, options: Options = _DEFAULT_OPTIONS
) -> Facts:
    """Measure a file. The pictures around the intent's window are measured one by one.

    Raises:
        InputRejected: missing, unreadable or not a regular file. Anything the bytes hold, damage
            included, is told as facts.
        PreparationFailed: the worker died, or a budget or the deadline ran out.
    """
    return report_facts(Path(source), intent, options)


def decode_clip(source: Source, *, options: Options = _DEFAULT_OPTIONS) -> Facts:
    """Measure a clip and decode every picture of it: whether it is whole. Nothing is written.

    No profile is asked: it may be longer or larger than any model takes.

    Raises:
        InputRejected: it is no clip, or is damaged.
        PreparationFailed: as `probe_file`.
    """
    return report_whole(Path(source), options)


def plan_file(
    source: Source, *, intent: Intent = _DEFAULT_INTENT, options: Options = _DEFAULT_OPTIONS
) -> Plan | Rejection:
    """Decide what would be done to a file; nothing is written. Raises as `probe_file`."""
    return report_plan(Path(source), intent, options)[1]


def plan_command(
    source: Source,
    output: Source,
    *,
    intent: Intent = _DEFAULT_INTENT,
    options: Options = _DEFAULT_OPTIONS,
) -> str | None:
    """The command of the engine ffmpeg that would make *output*, for a shell; nothing is written.

    ``None`` where no program is needed: the route copies, or *options* name another engine.

    Raises:
        InputRejected: nothing can be done.
        PreparationFailed: as `probe_file`; there is no program, or none that is fit.
    """
    return report_command(Path(source), Path(output), intent, options)


def process_file(
    source: Source,
    *,
    intent: Intent = _DEFAULT_INTENT,
    target: Target = _BESIDE_INPUT,
    options: Options = _DEFAULT_OPTIONS,
    on_progress: OnProgress | None = None,
) -> Report:
    """Prepare a file and tell what became of it, whatever that is.

    *on_progress* is called from the calling thread, at most ten times a second.

    Raises:
        LookupError, ProfileInvalid, ValueError: the intent itself makes no sense.
        TypeError: *source* is no path. Bytes and open files have to be written to one before.
    """
    return report_file(Path(source), intent, target, options, on_progress=on_progress)


def prepare_file(
    source: Source,
    *,
    intent: Intent = _DEFAULT_INTENT,
    target: Target = _BESIDE_INPUT,
    options: Options = _DEFAULT_OPTIONS,
    on_progress: OnProgress | None = None,
) -> Prepared:
    """Make a file acceptable, at the least cost, and verify the result.

    The result stands beside the input as ``<stem>.ready.mp4`` unless *target* says otherwise; a
    file that is fine already stays where it is. The input is never written to.

    Raises:
        InputRejected: it cannot be made acceptable; ``reasons`` holds every objection.
        PreparationFailed: something on our side failed; ``code`` says what.
        LookupError, ProfileInvalid, ValueError, TypeError: as `process_file`.
    """
    return _prepared(
        process_file(source, intent=intent, target=target, options=options, on_progress=on_progress)
    )


def _prepared(report: Report) -> Prepared:
    if report.error is not None:
        if report.status is Status.REJECTED:
            raise InputRejected(report.reasons)
        raise PreparationFailed(
            FailureCode(report.error.code), report.error.message, detail=report.error.detail
        )
    assert report.plan is not None  # noqa: S101 - work that ended well was planned
    assert report.output is not None  # noqa: S101 - and has a result
    assert report.output_facts is not None  # noqa: S101 - that was measured
    return Prepared(
        path=report.output,
        route=report.plan.route,
        reasons=report.reasons,
        sha256=report.output_sha256,
        facts=report.output_facts,
        receipt=report.receipt,
        report=report,
    )


def plan_pair(
    start: Source,
    end: Source,
    *,
    intent: Intent = _DEFAULT_PAIR,
    options: Options = _DEFAULT_OPTIONS,
) -> tuple[Plan | Rejection, Plan | Rejection]:
    """Decide what would be done to the start and the end frame of one clip; nothing is written.

    Both get the size that the start frame's shape asks for; where one cannot be made, neither is.
    Raises as `probe_file`.
    """
    return report_pair_plan((Path(start), Path(end)), intent, options)


def process_pair(
    start: Source,
    end: Source,
    *,
    intent: Intent = _DEFAULT_PAIR,
    directory: Source | None = None,
    options: Options = _DEFAULT_OPTIONS,
    on_progress: OnProgress | None = None,
) -> tuple[Report, Report]:
    """Prepare start and end frame of one clip to one size; both are written, or none.

    Results stand beside the inputs, or in *directory*. *on_progress* and what is raised are as for
    `process_file`; ``Progress.index`` says which frame it is about.
    """
    sources = (Path(start), Path(end))
    targets = _pair_targets(sources, directory)
    return report_pair(sources, intent, targets, options, on_progress=on_progress)


def prepare_pair(
    start: Source,
    end: Source,
    *,
    intent: Intent = _DEFAULT_PAIR,
    directory: Source | None = None,
    options: Options = _DEFAULT_OPTIONS,
    on_progress: OnProgress | None = None,
) -> tuple[Prepared, Prepared]:
    """Make start and end frame of one clip acceptable, at one size, and verify both.

    Raises:
        InputRejected, PreparationFailed: as `prepare_file`, for the frame whose fault it is; if
            both are at fault, for the start frame (`process_pair` has both stories).
    """
    return _both_prepared(
        process_pair(
            *(start, end),
            intent=intent,
            directory=directory,
            options=options,
            on_progress=on_progress,
        )
    )


def _both_prepared(reports: tuple[Report, Report]) -> tuple[Prepared, Prepared]:
    start, end = reports
    if start.error is not None and start.error.code in _OTHERS_FAULT:
        _prepared(end)
    return _prepared(start), _prepared(end)


def _pair_targets(sources: tuple[Path, Path], directory: Source | None) -> list[Target]:
    return targets_for(sources, directory=None if directory is None else Path(directory))


async def probe_file_async(
    source: Source, *, intent: Intent = _DEFAULT_INTENT, options: Options = _DEFAULT_OPTIONS
) -> Facts:
    """`probe_file` for asyncio; cancelling kills the worker."""
    return await _in_thread(partial(report_facts, Path(source), intent, options))


async def decode_clip_async(source: Source, *, options: Options = _DEFAULT_OPTIONS) -> Facts:
    """`decode_clip` for asyncio; cancelling kills the worker."""
    return await _in_thread(partial(report_whole, Path(source), options))


async def plan_file_async(
    source: Source, *, intent: Intent = _DEFAULT_INTENT, options: Options = _DEFAULT_OPTIONS
) -> Plan | Rejection:
    """`plan_file` for asyncio; cancelling kills the worker."""
    _, decision = await _in_thread(partial(report_plan, Path(source), intent, options))
    return decision


async def process_file_async(
    source: Source,
    *,
    intent: Intent = _DEFAULT_INTENT,
    target: Target = _BESIDE_INPUT,
    options: Options = _DEFAULT_OPTIONS,
    on_progress: OnProgress | None = None,
) -> Report:
    """`process_file` for asyncio; cancelling kills the worker and leaves no output.

    Only one that comes after the result got its name finds it there, complete.

    *on_progress* is called in the event loop.
    """
    told = _in_loop(on_progress)
    return await _in_thread(
        partial(report_file, Path(source), intent, target, options, on_progress=told)
    )


def _in_loop(on_progress: OnProgress | None) -> OnProgress | None:
    """The same, called from another thread."""
    if on_progress is None:
        return None
    loop = asyncio.get_running_loop()

    def told(progress: Progress) -> None:
        loop.call_soon_threadsafe(on_progress, progress)

    return told


async def prepare_file_async(
    source: Source,
    *,
    intent: Intent = _DEFAULT_INTENT,
    target: Target = _BESIDE_INPUT,
    options: Options = _DEFAULT_OPTIONS,
    on_progress: OnProgress | None = None,
) -> Prepared:
    """`prepare_file` for asyncio; cancelling kills the worker and leaves no output."""
    return _prepared(
        await process_file_async(
            source, intent=intent, target=target, options=options, on_progress=on_progress
        )
    )


async def plan_command_async(
    source: Source,
    output: Source,
    *,
    intent: Intent = _DEFAULT_INTENT,
    options: Options = _DEFAULT_OPTIONS,
) -> str | None:
    """`plan_command` for asyncio; cancelling kills the worker."""
    return await _in_thread(partial(report_command, Path(source), Path(output), intent, options))


async def plan_pair_async(
    start: Source,
    end: Source,
    *,
    intent: Intent = _DEFAULT_PAIR,
    options: Options = _DEFAULT_OPTIONS,
) -> tuple[Plan | Rejection, Plan | Rejection]:
    """`plan_pair` for asyncio; cancelling kills the worker."""
    return await _in_thread(partial(report_pair_plan, (Path(start), Path(end)), intent, options))


async def process_pair_async(
    start: Source,
    end: Source,
    *,
    intent: Intent = _DEFAULT_PAIR,
    directory: Source | None = None,
    options: Options = _DEFAULT_OPTIONS,
    on_progress: OnProgress | None = None,
) -> tuple[Report, Report]:
    """`process_pair` for asyncio, as `process_file_async`."""
    sources = (Path(start), Path(end))
    targets = _pair_targets(sources, directory)
    told = _in_loop(on_progress)
    return await _in_thread(
        partial(report_pair, sources, intent, targets, options, on_progress=told)
    )


async def prepare_pair_async(
    start: Source,
    end: Source,
    *,
    intent: Intent = _DEFAULT_PAIR,
    directory: Source | None = None,
    options: Options = _DEFAULT_OPTIONS,
    on_progress: OnProgress | None = None,
) -> tuple[Prepared, Prepared]:
    """`prepare_pair` for asyncio; cancelling kills the worker and leaves no output."""
    return _both_prepared(
        await process_pair_async(
            *(start, end),
            intent=intent,
            directory=directory,
            options=options,
            on_progress=on_progress,
        )
    )


async def _in_thread(work: Callable[..., T]) -> T:
    loop = asyncio.get_running_loop()
    async with _turns.setdefault(loop, asyncio.Semaphore(CALLS_AT_ONCE)):
        cancel = Cancel()
        # A thread of its own: the loop's default ones stay free for who looks up names in them.
        thread = ThreadPoolExecutor(1, thread_name_prefix="clipready")
        running = loop.run_in_executor(thread, copy_context().run, partial(work, cancel=cancel))
        thread.shutdown(wait=False)  # it ends with the call
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            cancel.cancel()
            # The thread is soon done: its worker is dead. Nothing may be left behind it.
            await asyncio.wait([running])
            if not running.cancelled():
                running.exception()
            raise
