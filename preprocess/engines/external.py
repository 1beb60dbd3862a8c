"""Encode by an ffmpeg program, from the same plan. It parses the file; this only starts it."""

from __future__ import annotations

import errno
import os
import re
import resource
import shlex
import signal
import struct
import tempfile
from collections import deque
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from preprocess import command, tonemap
from preprocess.binary import BITSTREAM_FILTERS, FILTERS, OTHERWISE, Binary, Encoder
from preprocess.engines import frames, mp4, program
from preprocess.engines.failures import ProgramFailed
from preprocess.errors import FailureCode
from preprocess.job import Opening, Outcome
from preprocess.native import open_input, seek_point, tick_s, video_stream
from preprocess.plan import AudioAction
from preprocess.soundgraph import AAC_FRAME
from preprocess.worker.failures import ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from preprocess.engines.program import Ended
    from preprocess.job import ExecuteRequest, External, TrialRequest
    from preprocess.plan import ClipPlan

_MOST_ANSWER = 20_000
"""Lines that a program may say of itself; the longest list has 600."""
_LIMITS = {
    **{os.strerror(n): n for n in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM)},
    "malloc of size": errno.ENOMEM,  # x264
}
"""Words for a limit that was reached."""
_TAG = re.compile(r"\[(?:[^\]]*@ 0x[0-9a-f]+|[a-z]+)\] ")
"""The part of ffmpeg that says something, where that lies in memory, and how bad it is."""
_BAD = re.compile(r"\[(error|fatal|panic)\] ")
_ABOUT_DEVICE = re.compile(r"\[(AVHWDeviceContext|VAAPI) @ \w+\] \[verbose\] ")
_CPU_SLACK_S = 1
"""The kernel limits CPU time by another clock than it tells: 2 s were over after 1.86."""
_PICTURE = re.compile(r"frame:\d+ +pts:(\S+)")
_DONE = re.compile(r"frame=(\d+)")


# --- the program itself --------------------------------------------------------------------------


def ask(path: str) -> Binary:
    """What the program at *path* says of itself.

    Raises:
        ProgramFailed: it cannot be run, or is no ffmpeg.
    """
    version = _said(path, "-version")
    named = re.search(r"^ffmpeg version (\S+)", version, re.MULTILINE)
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
    lines: deque[str] = deque(maxlen=_MOST_ANSWER)
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
        why = _why_unusable(ended)
        msg = (
            f"the encoder {request.encoder} of {request.binary.path} ({request.binary.version}) "
            f"cannot be used: {why}. Install what it needs, or choose another --encoder."
        )
        raise ProgramFailed(FailureCode.ENCODER_UNUSABLE, msg, _evidence(words, ended))


def _why_unusable(ended: Ended) -> str:
    """The first error, and what was said before of a device that could not be had."""
    lines = ended.stderr.splitlines()
    bad = next((n for n, line in enumerate(lines) if _BAD.search(line)), None)
    if bad is None:
        return ending(ended.status)
    device = [line for line in lines[:bad] if _ABOUT_DEVICE.match(line)][-2:]
    reasons = [_TAG.sub("", line).rstrip(".") for line in (lines[bad], *device)]
    return ": ".join(part for part in (reasons[0], "; ".join(reasons[1:])) if part)


def _run(
    words: Sequence[str], *, folder: str, fds: Sequence[int] = (), on_line: Callable[[str], None]
) -> Ended:
    try:
        return program.run(words, folder=folder, fds=fds, on_line=on_line)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise
        what = _STARTING.get(error.errno or 0, error.strerror)
        msg = f"{words[0]} cannot be started: {what}"
        raise ProgramFailed(FailureCode.BINARY_UNFIT, msg) from error


_STARTING = {
    errno.E2BIG: "the command is too long",
    errno.ENOENT: "what it needs to start, a loader or an interpreter, is missing",
}


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
        SourceDamaged: pictures of the window cannot be decoded, by us either.
        OSError: a limit on memory or file size, or a full disk.
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
    with _folder_for(plan) as folder:
        os.lseek(fd, 0, os.SEEK_SET)  # a descriptor that is handed down keeps its offset
        ended = _run(words, folder=folder, fds=(fd,), on_line=told.line)
    if ended.status:
        _raise_limit(words, ended)
    wrong = f"did not finish: {_last_words(ended)}" if ended.status else told.wrong()
    wrong = wrong or _settled(request.path)
    if wrong:
        if ended.status >= 0:
            frames.check_pictures(fd, opening, plan, request.threads)
        msg = f"{words[0]} {wrong}. {OTHERWISE}"
        raise ProgramFailed(FailureCode.BINARY_FAILED, msg, _evidence(words, ended))
    return Outcome(frames=told.frames, sound_digests=digests, command=tuple(words))


def _settled(path: str) -> str | None:
    """Do what is left to do of the result; what is wrong with one that is no result."""
    try:
        mp4.settle_durations(path)
    except (FileNotFoundError, ValueError, IndexError, struct.error):
        return "ended without an error, and what it wrote is no MP4"
    return None


@contextmanager
def _folder_for(plan: ClipPlan) -> Iterator[str]:
    """Where the program runs: a folder with the 3D LUT of *plan*, if there is one."""
    assert plan.encoding is not None  # noqa: S101 - only the encode route comes here
    if plan.encoding.colours_in is None:
        yield "/"
        return
    with tempfile.TemporaryDirectory() as folder:
        write_lut(plan, Path(folder))
        yield folder


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


def _raise_limit(words: Sequence[str], ended: Ended) -> None:
    """Raise what means a limit to whoever started us, where that ended the program."""
    evidence = _evidence(words, ended)
    if ended.status == -signal.SIGXFSZ:
        raise OSError(errno.EFBIG, evidence)
    for said, number in _LIMITS.items():
        if said in ended.stderr:
            raise OSError(number, evidence)
    # ffmpeg takes SIGXCPU for a wish to end, and exits with 255 (fftools, 5.1 to 9.0).
    allowed_s = resource.getrlimit(resource.RLIMIT_CPU)[0]
    if allowed_s != resource.RLIM_INFINITY and ended.cpu_s >= allowed_s - _CPU_SLACK_S:
        msg = f"{words[0]} was stopped because it had used up its CPU time. Allow more."
        raise ProgramFailed(FailureCode.DEADLINE, msg, evidence)


def _last_words(ended: Ended) -> str:
    """How it ended, and why: with ``-xerror`` the first error is the cause of all others."""
    lines = ended.stderr.splitlines()
    if not lines:
        return ending(ended.status)
    cause = lines[-1] if ended.cut else lines[0]
    return f"{ending(ended.status)}: {_TAG.sub('', cause).rstrip('.')}"


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
        if picture := _PICTURE.match(text):
            self._taken.append(picture[1])
        elif done := _DONE.fullmatch(text):
            self.frames = int(done[1])
            self._progress(self.frames / self._wanted)

    def wrong(self) -> str | None:
        """What is wrong with the pictures that came; ``None``: all that were planned, no others."""
        planned = len(self._planned)
        if self._counted:
            here, strange = min(len(self._taken), planned), 0
        else:
            here = len({*map(str, self._planned)} & {*self._taken})
            strange = len(self._taken) - len({*map(str, self._known)} & {*self._taken})
        if here < planned:
            return f"ended without an error, and took {here} of the {planned} pictures"
        if strange:
            return f"took {strange} pictures for the window's that the index has not"
        return None
