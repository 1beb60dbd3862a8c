"""What caller and worker say to each other about one clip. Pure values, checked by `wire`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from preprocess.binary import Binary, Encoder
from preprocess.command import Source
from preprocess.facts import Facts
from preprocess.intent import VerifyLevel, Window
from preprocess.plan import ClipPlan, ImagePlan, VideoEncoding


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """The part of a file that a plan will need to know picture by picture."""

    window: Window
    cap_s: Fraction
    """Longest result: a head window ends here, a tail window begins this long before the end."""
    tail_tolerance_s: Fraction
    """How far after the wanted start a safe key picture is looked for."""
    undecodable: tuple[int, ...] = ()
    """Sound tracks, by stream index, that turned out to give no sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How an input is opened; the plan repeats what the probe found out."""

    demuxer: str
    """Pinned FFmpeg demuxer, from our own recognition of the bytes."""
    ignore_edits: bool
    """Show media time stamps as stored; we apply simple edit lists ourselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Animation:
    """An animated image whose pictures Pillow gives; FFmpeg is not asked."""

    container: str
    convert: bool
    """Its colours are no sRGB: they go through its ICC profile, or one for what is stated."""
    primaries: str | None
    transfer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What a probe found, with how the file has to be opened again."""

    facts: Facts
    opening: Opening | Animation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """An ffmpeg program, and what it has to know."""

    binary: Binary
    encoder: Encoder
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRequest:
    """An encoder that is to prove itself at the size of a result."""

    encoding: VideoEncoding
    binary: Binary
    encoder: Encoder


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteRequest:
    """A plan and all an engine needs beside the descriptor of the source."""

    plan: ClipPlan
    opening: Opening | Animation
    audio_offset_s: Fraction
    threads: int
    path: str
    """Hidden temporary that exists and is ours."""
    external: External | None = None
    """Who encodes the picture; ``None``: we."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was written, told by the side that read the source."""

    frames: int
    """Pictures written."""
    picture_digests: tuple[str, ...] = ()
    """Of each copied picture in decode order, framing and parameter sets apart."""
    sound_digests: tuple[str, ...] = ()
    """Of each copied sound packet."""
    command: tuple[str, ...] = ()
    """What an ffmpeg program was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """A plan for a still image; its source is the descriptor."""

    plan: ImagePlan
    container: str
    path: str
    """Hidden temporary that exists and is ours."""
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOutcome:
    """What was written of an image."""

    quality: int | None
    """Of a JPEG made anew."""
    pixels: str | None = None
    """Digest of the decoded source, where its pixels were to stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMeasured:
    """An image result, measured anew."""

    facts: Facts
    pixels: str | None
    """Digest of its decoded pixels; ``None`` if nobody asked, or they cannot be decoded."""
    damage: str | None
    """Why they cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """How much of a result is read back."""

    level: VerifyLevel
    copied: bool
    """Digests are wanted; else first and last GOP are decoded."""
    sound_copied: bool
    """Digests of the sound are wanted."""
    sound: bool
    """All of the sound is decoded: it was made anew, or everything is to be verified."""
    cap_s: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A result, measured anew."""

    facts: Facts
    picture_digests: tuple[str, ...]
    sound_digests: tuple[str, ...]
    decoded: int
    """Pictures that were decoded."""
    to_decode: int
    """Pictures that should have been."""
    in_order: bool = True
    """Time stamps rise, as pictures come out of the decoder."""
    sound_s: Fraction | None = None
    """Sound that was decoded; ``None`` where nobody asked, or there is none."""
    sound_to_decode_s: Fraction | None = None
    """Sound that should have been."""
