"""What the caller wants, as closed choices. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from preprocess.geometry import Gravity


class Role(StrEnum):
    """What a file is for."""

    EDIT_VIDEO = "edit_video"
    EXTEND_VIDEO = "extend_video"
    REFERENCE_VIDEO = "reference_video"
    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    REFERENCE_IMAGE = "reference_image"


FRAME_ROLES = frozenset({Role.FIRST_FRAME, Role.LAST_FRAME})
VIDEO_ROLES = frozenset({Role.EDIT_VIDEO, Role.EXTEND_VIDEO, Role.REFERENCE_VIDEO})


class Mode(StrEnum):
    """The generation mode a file is prepared for."""

    EDIT = "edit"
    EXTEND = "extend"
    REFERENCE = "reference"
    I2V_FIRST = "i2v_first"
    I2V_BOTH = "i2v_both"


class WindowKind(StrEnum):
    """Which part of a long clip is taken."""

    HEAD = "head"
    TAIL = "tail"
    SPAN = "span"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of a clip, in seconds from its first shown picture."""

    kind: WindowKind
    start_s: Fraction = Fraction(0)
    """``span`` only."""
    end_s: Fraction | None = None
    """``span`` only; ``None`` means to the end."""

    def __str__(self) -> str:
        if self.kind is not WindowKind.SPAN:
            return self.kind.value
        end = "" if self.end_s is None else f"{float(self.end_s):g}"
        return f"{float(self.start_s):g}..{end}"


class Fit(StrEnum):
    """How a picture of the wrong shape is brought to a legal one."""

    CROP = "crop"
    PAD = "pad"
    BLUR = "blur"


class Short(StrEnum):
    """What happens to a clip under the shortest accepted length."""

    REJECT = "reject"
    HOLD = "hold"
    LOOP = "loop"


class AudioChoice(StrEnum):
    """Whether sound is kept."""

    KEEP = "keep"
    DROP = "drop"


class VerifyLevel(StrEnum):
    """How much of a result is decoded before it is trusted."""

    QUICK = "quick"
    FULL = "full"


class Resolution(StrEnum):
    """Of the clip that a frame is made for."""

    P480 = "480p"
    P720 = "720p"


class Limits(StrEnum):
    """Which accept table of the profile holds; each includes the one before it."""

    SAFE = "safe"
    DOCUMENTED = "documented"
    TRUSTED = "trusted"


_MODE_ROLES = {
    Mode.EDIT: Role.EDIT_VIDEO,
    Mode.EXTEND: Role.EXTEND_VIDEO,
    Mode.REFERENCE: Role.REFERENCE_VIDEO,
    Mode.I2V_FIRST: Role.FIRST_FRAME,
    Mode.I2V_BOTH: Role.FIRST_FRAME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Everything a caller can ask for. Defaults are those of the command line."""

    profile: str = "seedance-2-0-mini"
    """Name of a bundled profile, or the path of a profile file."""
    limits: Limits = Limits.SAFE
    mode: Mode | None = None
    """``None``: decided by content (what moves, animated images too: edit; stills: i2v_first)."""
    role: Role | None = None
    """Overrides the role that ``mode`` implies."""
    ratio: str = "adaptive"
    """``adaptive`` keeps the shape unless a limit forbids it, otherwise ``W:H``."""
    fit: Fit | None = None
    """``None``: frames are cropped, everything else is padded."""
    gravity: Gravity = Gravity.CENTRE
    """Which part of an image is kept where it is cropped."""
    resolution: Resolution = Resolution.P720
    """Of the generated clip, which first and last frames have to match."""
    window: Window | None = None
    """``None``: the tail for extend, the head for everything else."""
    short: Short = Short.REJECT
    audio: AudioChoice = AudioChoice.KEEP
    verify: VerifyLevel = VerifyLevel.QUICK

    @property
    def wanted_role(self) -> Role:
        """The role after defaults, for a moving picture."""
        if self.role is not None:
            return self.role
        return _MODE_ROLES[self.mode or Mode.EDIT]

    @property
    def role_of_image(self) -> Role:
        """The role after defaults, for a still image."""
        if self.role is not None:
            return self.role
        if self.mode is Mode.REFERENCE:
            return Role.REFERENCE_IMAGE
        return _MODE_ROLES[self.mode or Mode.I2V_FIRST]

    @property
    def wanted_window(self) -> Window:
        """The window after defaults."""
        if self.window is not None:
            return self.window
        tail = self.wanted_role is Role.EXTEND_VIDEO
        return Window(kind=WindowKind.TAIL if tail else WindowKind.HEAD)

    @property
    def wanted_fit(self) -> Fit:
        """The fit after defaults, for a moving picture."""
        return self.fit or Fit.PAD

    @property
    def fit_of_image(self) -> Fit:
        """The fit after defaults, for a still image: frames fill, references stay whole."""
        return self.fit or (Fit.CROP if self.role_of_image in FRAME_ROLES else Fit.PAD)

    @property
    def wanted_aspect(self) -> Fraction | None:
        """The asked-for shape, or ``None`` to keep the picture's own.

        Raises:
            ValueError: ``ratio`` is neither ``adaptive`` nor ``W:H`` with positive integers.
        """
        if self.ratio == "adaptive":
            return None
        match = re.fullmatch(r"([1-9]\d{0,4}):([1-9]\d{0,4})", self.ratio)
        if match is None:
            msg = f"ratio {self.ratio!r} is neither 'adaptive' nor W:H, for example 16:9"
            raise ValueError(msg)
        return Fraction(int(match[1]), int(match[2]))


_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")


def parse_window(text: str) -> Window:
    """Read ``head``, ``tail`` or ``START..END`` (seconds or [h:]mm:ss; either end may be left out).

    Raises:
        ValueError: *text* is none of these, or END is not after START.
    """
    if text in (WindowKind.HEAD, WindowKind.TAIL):
        return Window(kind=WindowKind(text))
    start_text, dots, end_text = text.partition("..")
    if not dots or not (start_text or end_text):
        msg = f"window {text!r} is not head, tail or START..END (seconds or [h:]mm:ss)"
        raise ValueError(msg)
    start = _parse_clock(start_text) if start_text else Fraction(0)
    end = _parse_clock(end_text) if end_text else None
    if end is not None and end <= start:
        msg = f"window {text!r} ends at or before its start"
        raise ValueError(msg)
    return Window(kind=WindowKind.SPAN, start_s=start, end_s=end)


def _parse_clock(text: str) -> Fraction:
    match = _CLOCK.fullmatch(text)
    if match is None:
        msg = f"{text!r} is not a time; write seconds (12.5) or [h:]mm:ss (1:02:03.5)"
        raise ValueError(msg)
    hours, minutes, seconds = match.groups()
    return Fraction(int(hours or 0) * 3600 + int(minutes or 0) * 60) + Fraction(seconds)
