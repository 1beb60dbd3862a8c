"""The ffmpeg program that encodes instead of us: found, asked once, checked. The caller's side."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess import command
from preprocess.binary import OTHERWISE, Binary, Encoder, Engine
from preprocess.errors import FailureCode, PreparationFailed
from preprocess.job import Animation, ExecuteRequest, External, Opening, TrialRequest
from preprocess.plan import ClipPlan, Route
from preprocess.task import Task, call, loaded, probe_budget

if TYPE_CHECKING:
    from preprocess.facts import Facts
    from preprocess.geometry import Size
    from preprocess.intake import Intake
    from preprocess.worker.client import Worker

VARIABLE = "CLIPREADY_FFMPEG"
_EXTRA = "pip install 'clipready[ffmpeg]'"

UNBOUNDED = 1 << 46
"""Drivers of graphics cards reserve address space by the terabyte, without using it."""

_Identity = tuple[str, int, int]
"""Path, time of the last change in ns, bytes."""
_asked: dict[_Identity, Binary] = {}
_proven: set[tuple[_Identity, Encoder, Size, Fraction]] = set()


def external_for(task: Task, worker: Worker) -> External | None:
    """The program that is to carry out the plan of *task*; ``None`` where we do it ourselves.

    Raises:
        PreparationFailed: there is none, or it cannot carry out this plan.
    """
    plan = task.plan
    if task.options.engine is Engine.AV or plan is None or plan.route is not Route.ENCODE:
        return None
    if not isinstance(plan, ClipPlan):
        return None
    source = _source(task, plan)
    identity = _found()
    binary = _asked.get(identity) or _ask(task, worker, identity)
    encoder = task.options.encoder or Encoder.X264
    external = External(binary=binary, encoder=encoder, source=source)
    if lacks := command.missing(plan, source, binary, encoder):
        why = f"{binary.path} ({binary.version}) is not enough: {', '.join(lacks)}"
        raise _unfit(why, _otherwise(encoder, binary))
    if encoder is not Encoder.X264:
        _prove(task, worker, identity, external)
    return external


def _otherwise(encoder: Encoder, binary: Binary) -> str:
    lacks_it = encoder is not Encoder.X264 and encoder not in binary.encoders
    return "Use another --encoder, or --engine av." if lacks_it else OTHERWISE


def audio_offset_s(facts: Facts) -> Fraction:
    """Added to a raw time stamp of the sound in seconds, it gives picture time."""
    return facts.audio.offset_s if facts.audio else Fraction(0)


# --- the program ---------------------------------------------------------------------------------


def _found() -> _Identity:
    _check_compiler()
    path = Path(_path()).absolute()
    try:
        state = path.stat()
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be looked at") from error
    if path.is_dir():
        raise _unusable(path, "it is a folder")
    return str(path), state.st_mtime_ns, state.st_size


def _unusable(path: Path, why: str) -> PreparationFailed:
    named = VARIABLE in os.environ
    fix = f"Have {VARIABLE} name a program, or unset it. " if named else ""
    msg = f"{path} cannot be used as ffmpeg: {why}. {fix}{OTHERWISE}"
    return PreparationFailed(FailureCode.BINARY_MISSING, msg)


def _check_compiler() -> None:
    """See that ffmpeg-python is there; several packages call their module ``ffmpeg``."""
    found = find_spec("ffmpeg")
    if found is not None and find_spec("ffmpeg._run") is not None:
        return
    msg = f"the engine ffmpeg needs ffmpeg-python: {_EXTRA}. {OTHERWISE}"
    if found is not None:
        where = found.origin or "the module ffmpeg"
        msg = f"{where} is of another package than ffmpeg-python; uninstall that. Then: {_EXTRA}"
    raise PreparationFailed(FailureCode.BINARY_MISSING, msg)


def _path() -> str:
    """What the environment names, else what is on the path, else what imageio-ffmpeg carries."""
    path = os.environ.get(VARIABLE) or shutil.which("ffmpeg")
    if path:
        return path
    if find_spec("imageio_ffmpeg") is not None:
        try:
            return str(import_module("imageio_ffmpeg").get_ffmpeg_exe())
        except RuntimeError:  # it has none for this system
            pass
    msg = (
        f"there is no ffmpeg: {VARIABLE} is not set, none is on the path, and imageio-ffmpeg has "
        f"none. Install one, or: {_EXTRA}. {OTHERWISE}"
    )
    raise PreparationFailed(FailureCode.BINARY_MISSING, msg)


def _ask(task: Task, worker: Worker, identity: _Identity) -> Binary:
    try:
        answer = call(worker, "ask_binary", None, None, probe_budget(task), path=identity[0])
    except PreparationFailed as failed:
        if failed.code is not FailureCode.DEADLINE:
            raise
        msg = f"{identity[0]} was asked what it is, and did not say so in time. {OTHERWISE}"
        raise PreparationFailed(FailureCode.DEADLINE, msg, detail=failed.detail) from failed
    binary = loaded(worker, "ask_binary", Binary, answer.get("binary"))
    _asked[identity] = binary
    return binary


def _prove(task: Task, worker: Worker, identity: _Identity, external: External) -> None:
    """Have the encoder make a few pictures, once for each size and rate."""
    assert isinstance(task.plan, ClipPlan)  # noqa: S101 - `external_for` has looked
    assert task.plan.encoding is not None  # noqa: S101 - as above
    encoding, encoder = task.plan.encoding, external.encoder
    way = (identity, encoder, encoding.canvas, encoding.frame_rate)
    if way in _proven:
        return
    request = TrialRequest(encoding=encoding, binary=external.binary, encoder=encoder)
    budget = replace(probe_budget(task), memory_bytes=UNBOUNDED)
    call(worker, "try_encoder", request, None, budget)
    _proven.add(way)


# --- the plan ------------------------------------------------------------------------------------


def _source(task: Task, plan: ClipPlan) -> command.Source:
    """What the program has to know of the input; some inputs are not for it."""
    assert task.probed is not None  # noqa: S101 - planned from it
    facts, opening = task.probed.facts, task.probed.opening
    assert facts.video is not None  # noqa: S101 - as above
    if isinstance(opening, Animation):
        why = f"a {facts.description} is decoded by Pillow, with its times from the headers"
        raise _unfit(why)
    assert opening is not None  # noqa: S101 - what cannot be opened is rejected
    if not facts.video.uniform:
        why = "pictures change their size or format midway, and each kind has its own filters"
        raise _unfit(why)
    return command.Source(
        demuxer=opening.demuxer,
        ignore_edits=opening.ignore_edits,
        codec=facts.video.codec,
        channels=facts.audio.channels if facts.audio else None,
        layout=facts.audio.channel_layout if facts.audio else None,
        audio_offset_s=audio_offset_s(facts),
        sound_tick_s=facts.audio.time_base if facts.audio else Fraction(1),
        passed=_passed(facts, opening, plan),
    )


def _passed(facts: Facts, opening: Opening, plan: ClipPlan) -> int | None:
    """Pictures before the window, where time stamps do not tell which they are.

    Those of a GIF are ours, and those of MPEG-4 in AVI may be (`native.demuxed`): a program gives
    short delays as they are stored, and pictures that are packed together the times of others.
    Raw DV has another tick with FFmpeg 5.1.
    """
    assert facts.video is not None  # noqa: S101 - `_source` has looked
    table, codec = facts.video.table, facts.video.codec
    ours = opening.demuxer in ("gif", "dv") or (opening.demuxer, codec) == ("avi", "mpeg4")
    if plan.exact_pts and not ours:
        return None
    if not table.at_start:
        why = "the container stores no times of pictures, and the window is not near its beginning"
        raise _unfit(why)
    return sorted(table.pts).index(plan.source_pts[0])


def _unfit(why: str, otherwise: str = OTHERWISE) -> PreparationFailed:
    return PreparationFailed(
        FailureCode.BINARY_UNFIT, f"the engine ffmpeg cannot do this: {why}. {otherwise}"
    )


def shell_command(task: Task, taken: Intake, worker: Worker, output: Path) -> str | None:
    """The work of `external_for` as a person would start it; ``None`` where there is none."""
    external = external_for(task, worker)
    if external is None:
        return None
    plan, probed = task.plan, task.probed
    assert isinstance(plan, ClipPlan)  # noqa: S101 - `external_for` has looked
    assert probed is not None  # noqa: S101 - as above
    assert isinstance(probed.opening, Opening)  # noqa: S101 - as above
    ends = command.Ends(
        protocol="file",
        input=f"file:{task.source.absolute()}",
        seek_s=_seek_s(task, taken, worker, external),
        output=f"file:{output.absolute()}",
        replace=False,
    )
    words = command.arguments(
        plan, external.source, external.binary, external.encoder, ends, threads=task.threads
    )
    lines = [" ".join(map(_quoted, words))]
    assert plan.encoding is not None  # noqa: S101 - an encode
    colours = plan.encoding.colours_in
    if colours is not None:
        maker = [sys.executable, "-m", "preprocess.tonemap", colours.primaries, colours.transfer]
        lines.insert(0, f"{shlex.join(maker)} > {command.LUT_FILE}")
    return "\n".join(lines)


def _quoted(word: str) -> str:
    """*word* for a shell: what no terminal shows as it is by its bytes (POSIX.1-2024, 2.2.4)."""
    if word.isprintable():
        return shlex.quote(word)
    plain = range(0x20, 0x7F)
    shown = (chr(b) if b in plain and b not in b"\\'" else f"\\x{b:02x}" for b in os.fsencode(word))
    return f"$'{''.join(shown)}'"


def _seek_s(task: Task, taken: Intake, worker: Worker, external: External) -> Fraction | None:
    assert isinstance(task.plan, ClipPlan)  # noqa: S101 - `shell_command` has looked
    assert task.probed is not None  # noqa: S101 - as above
    assert task.probed.opening is not None  # noqa: S101 - as above
    if external.source.passed is not None:
        return None
    request = ExecuteRequest(
        plan=task.plan,
        opening=task.probed.opening,
        audio_offset_s=audio_offset_s(task.probed.facts),
        threads=task.threads,
        path="",
    )
    answer = call(worker, "seek_point", request, taken.fd, probe_budget(task))
    found = answer.get("seek_s")
    return None if found is None else loaded(worker, "seek_point", Fraction, found)
