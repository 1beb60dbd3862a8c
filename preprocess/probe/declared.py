"""How long a Matroska file says it is; half of one is otherwise a whole shorter one."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from preprocess.probe.tables import TruncatedError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_SHORTER_BY = Fraction(9, 10)


def check_length(container: InputContainer, end_s: Fraction) -> None:
    """The header's claim against *end_s*, where the file ends on its own clock.

    libavformat writes there where its clock ends, whenever that started (FFmpeg 8.1.2).

    Raises:
        TruncatedError: much of it is missing.
    """
    declared = container.duration
    if not declared or "matroska" not in container.format.name:
        return
    start_s = Fraction(container.start_time or 0, av.time_base)
    there_s, declared_s = end_s - start_s, Fraction(declared, av.time_base) - start_s
    if there_s < declared_s * _SHORTER_BY - 1:
        msg = f"{float(there_s):.3f} s of {float(declared_s):.3f} s are there"
        raise TruncatedError(msg)


_CUT_SHORT_S = Fraction(1, 4)
"""Less may be a muxer's notion of where the last packet ends, or a last packet that was lost."""


def check_sound_length(stream: AudioStream, end_s: Fraction, packet_s: Fraction) -> None:
    """Matroska's statistics tags say where each track ended when the file was whole.

    *end_s*: where its last packet ends on the file's clock; *packet_s*: how long one is.

    Raises:
        TruncatedError: more than a packet is missing.
    """
    said = _DURATION_TAG.fullmatch(stream.metadata.get("DURATION", ""))
    if said is None:
        return
    hours, minutes, seconds = said.groups()
    declared_s = 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
    if end_s < declared_s - max(_CUT_SHORT_S, packet_s):
        msg = f"{float(end_s):.3f} s of {float(declared_s):.3f} s of the sound are there"
        raise TruncatedError(msg)


_DURATION_TAG = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
