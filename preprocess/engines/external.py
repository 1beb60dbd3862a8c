"""Encode by an ffmpeg program, from the same plan. It parses the file; this only starts it."""

from __future__ import annotations

import errno
import os
import re
import shlex
import signal
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess import command, tonemap
from preprocess.binary import BITSTREAM_FILTERS, FILTERS, Binary, Encoder
from preprocess.engines import frames, mp4, program
from preprocess.engines.failures import ProgramFailed, SourceDamaged
from preprocess.errors import FailureCode
from preprocess.job import Opening, Outcome
from preprocess.native import open_input, seek_point, tick_s, video_stream
from preprocess.plan import AudioAction
from preprocess.soundgraph import AAC_FRAME
from preprocess.worker.failures import ending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from preprocess.engines.program import Ended
    from preprocess.job import ExecuteRequest, External, TrialRequest
    from preprocess.plan import ClipPlan

_FULL_BYTES = 1 << 20
"""A disk with less room than this is full."""


# --- the program itself --------------------------------------------------------------------------


def ask(path: str) -> Binary:
    """What the program at *path* says of itself.

    Raises:
        ProgramFailed: it cannot be run, or is no ffmpeg.
    """
    version = _said(path, "-version")
    named = re.match(r"ffmpeg version (\S+)", version)
    if named is None:
        msg = f"{path} is no ffmpeg: it says {version[:60]!r}"
        raise ProgramFailed(FailureCode.BINARY_UNFIT, msg)
    library = re.search(r"libavformat +(\d+)\. *(\d+)", version)
    return Binary(
        path=path,
        version=named[1],
        libavformat=tuple(int(number) for number in library.groups()) if library else (),
        encoders=_named(path, "-encoders") & {*(each.value for each in Encoder), "aac"},
        filters=_named(path, "-filters") & FILTERS,
        bitstream_filters=_named(path, "-bsfs") & BITSTREAM_FILTERS,
        reads_descriptors="fd" in _named(path, "-protocols"),
    )


def _named(path: str, option: str) -> frozenset[str]:
    """Every word of a list: names are what is looked for, whatever its columns."""
    return frozenset(_said(path, "-hide_banner", option).split())


def _said(path: str, *arguments: str) -> str:
    lines: list[str] = []
    words = [path, *arguments]
    ended = _run(words, folder="/", on_line=lines.append)
    if ended.status:
        msg = f"{path} cannot be asked what it is: {ending(ended.status)}"
        raise ProgramFailed(FailureCode.BINARY_UNFIT, msg, _evidence(words, ended))
    return "\n".join(lines)


def try_encoder(request: TrialRequest) -> None:
    """Encode a few pictures of the result's size, and keep nothing.

    Raises:
        ProgramFailed: it does not work.
    """
    words = command.trial(request.encoding, request.binary, request.encoder)
    ended = _run(words, folder="/", on_line=lambda _line: None)
    if ended.status:
        said = ended.stderr.splitlines() or [ending(ended.status)]
        # Without the part of ffmpeg that says it, and where that lies in memory.
        why = re.sub(r"^(\[[^\]]*\] )+", "", said[0]).rstrip(".")
        msg = (
            f"the encoder {request.encoder} of {request.binary.path} ({request.binary.version}) "
            f"cannot be used: {why}. Install what it needs, or choose another --encoder."
        )
        raise ProgramFailed(FailureCode.ENCODER_UNUSABLE, msg, _evidence(words, ended))


def _run(
    words: Sequence[str], *, folder: str, fds: Sequence[int] = (), on_line: Callable[[str], None]
) -> Ended:
    try:
        return program.run(words, folder=folder, fds=fds, on_line=on_line)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise
        what = "the command is too long" if error.errno == errno.E2BIG else error.strerror
        msg = f"{words[0]} cannot be started: {what}"
        raise ProgramFailed(FailureCode.BINARY_UNFIT, msg) from error


def _evidence(words: Sequence[str], ended: Ended) -> str:
    return f"{shlex.join(words)}\n{ended.stderr}".strip()


# --- its work ------------------------------------------------------------------------------------


def seek_s(fd: int, opening: Opening, plan: ClipPlan) -> Fraction | None:
    """What the program has to seek for so that all of the window comes; ``None``: nothing."""
    if plan.start_s <= 0:
        return None
    with open_input(fd, opening) as source:
        stream = video_stream(source, plan.video_stream)
        first, lead_s = plan.source_pts[0], _lead_s(plan)
        ticks = seek_point(source, stream, first, opening.demuxer, lead_s=lead_s)
        return None if ticks is None else ticks * tick_s(stream)


def _lead_s(plan: ClipPlan) -> Fraction:
    """Sound is wanted from this long before the first picture."""
    audio = plan.audio
    rate = audio.source_rate_hz or audio.sample_rate_hz
    if audio.action is AudioAction.DROP or rate is None:
        return Fraction(0)
    return Fraction(audio.frame_samples or AAC_FRAME, rate)


def encode(
    fd: int, request: ExecuteRequest, external: External, progress: Callable[[float], None]
) -> Outcome:
    """Have the program write the pictures of the plan.

    Raises:
        SourceDamaged: pictures of the window cannot be decoded; by the program, or by us either.
        SoundLost, SoundDamaged, SoundUneven: the same of the sound.
        ProgramFailed: the program is at fault.
    """
    plan, opening = request.plan, request.opening
    assert isinstance(opening, Opening)  # noqa: S101 - what Pillow opens does not come here
    # What the sound is worth is ours to say: a program fills with silence what it cannot decode.
    digests = frames.check_sound(fd, opening, plan, request.audio_offset_s)
    counted = external.source.passed is not None
    words = command.arguments(
        plan,
        external.source,
        external.binary,
        external.encoder,
        _ends(fd, request, external, None if counted else seek_s(fd, opening, plan)),
        threads=request.threads,
    )
    told = _Told(plan, counted=counted, progress=progress)
    with tempfile.TemporaryDirectory() as folder:
        write_lut(plan, Path(folder))
        os.lseek(fd, 0, os.SEEK_SET)  # a descriptor that is handed down keeps its offset
        ended = _run(words, folder=folder, fds=(fd,), on_line=told.line)
    if ended.status:
        _raise_fault(fd, request, opening, words, ended)
    told.check(external.binary)
    mp4.settle_durations(request.path)
    return Outcome(frames=told.frames, sound_digests=digests, command=tuple(words))


def write_lut(plan: ClipPlan, folder: Path) -> None:
    """Put the 3D LUT of *plan*, if there is one, where its command looks for it."""
    assert plan.encoding is not None  # noqa: S101 - only the encode route comes here
    if plan.encoding.colours_in is not None:
        cube = tonemap.cube(plan.encoding.colours_in)
        (folder / command.LUT_FILE).write_text(cube, encoding="ascii")


def _ends(
    fd: int, request: ExecuteRequest, external: External, seek: Fraction | None
) -> command.Ends:
    output = f"file:{request.path}"
    if external.binary.reads_descriptors:
        return command.Ends(
            protocol="fd",
            input="fd:",
            input_options=(("fd", str(fd)),),
            seek_s=seek,
            output=output,
            replace=True,
        )
    # Before FFmpeg 6.0: the same file, by the name that the kernel has for the descriptor.
    name = f"file:/proc/self/fd/{fd}"
    return command.Ends(protocol="file", input=name, seek_s=seek, output=output, replace=True)


def _raise_fault(
    fd: int, request: ExecuteRequest, opening: Opening, words: Sequence[str], ended: Ended
) -> None:
    """Say whose fault it is that the program did not do it: a limit's, the source's or its own."""
    binary = f"{words[0]} {ending(ended.status)}"
    if ended.status == -signal.SIGXFSZ:
        raise OSError(errno.EFBIG, binary)
    room = os.statvfs(request.path)
    if room.f_bavail * room.f_frsize < _FULL_BYTES:
        raise OSError(errno.ENOSPC, binary)
    evidence = _evidence(words, ended)
    if ended.status == -signal.SIGXCPU:
        msg = f"{words[0]} was stopped because it had used up its CPU time. Allow more."
        raise ProgramFailed(FailureCode.DEADLINE, msg, evidence)
    if ended.status > 0:
        frames.check_pictures(fd, opening, request.plan, request.threads)
    said = ended.stderr.splitlines()
    last = f": {said[-1]}" if said else ""
    msg = f"{words[0]} did not finish: {ending(ended.status)}{last}"
    raise ProgramFailed(FailureCode.BINARY_FAILED, msg, evidence)


class _Told:
    """What the program says on stdout: the pictures it takes, and how far it is."""

    def __init__(self, plan: ClipPlan, *, counted: bool, progress: Callable[[float], None]) -> None:
        assert plan.encoding is not None  # noqa: S101 - only the encode route comes here
        writes = plan.encoding.writes
        last = max((n for n, count in enumerate(writes) if count), default=-1)
        self._planned = plan.source_pts[: last + 1]
        """Those after the last one that is written need not come."""
        self._known = set(plan.source_pts)
        self._counted = counted
        self._progress = progress
        self._wanted = plan.expected.frames
        self._taken: list[str] = []
        self.frames = 0
        """Pictures written."""

    def line(self, text: str) -> None:
        """Take one line: of the filter ``metadata``, or of ``-progress``."""
        if text.startswith("frame:") and "pts:" in text:
            self._taken.append(text.partition("pts:")[2].split(maxsplit=1)[0])
        elif text.startswith("frame="):
            self.frames = int(text.removeprefix("frame="))
            self._progress(self.frames / self._wanted)

    def check(self, binary: Binary) -> None:
        """Every planned picture came, and no other.

        Raises:
            SourceDamaged: some did not.
            ProgramFailed: there were others, which put the rest out of step.
        """
        planned = len(self._planned)
        if self._counted:
            here, strange = min(len(self._taken), planned), 0
        else:
            here = len({*map(str, self._planned)} & {*self._taken})
            strange = len(self._taken) - len({*map(str, self._known)} & {*self._taken})
        if here < planned:
            raise SourceDamaged(here, planned, "pictures of the window can be decoded")
        if strange:
            msg = f"{binary.path} shows {strange} pictures in the window that the index has not"
            raise ProgramFailed(FailureCode.BINARY_FAILED, msg)
