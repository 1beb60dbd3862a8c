"""What a provider accepts, as values: the type that decisions are made against. Pure.

A :class:`Profile` is read from a TOML file (``load.py``) in the shape of ``document.py``, after
``check.py`` found no contradiction in it. Every time, rate and shape is an exact ``Fraction``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from preprocess.geometry import Size, SizeLimits
from preprocess.intent import Limits as Level
from preprocess.intent import Role

__all__ = [
    "AcceptVideo",
    "ApiParameter",
    "ImageLimits",
    "Level",
    "MediaField",
    "MediaUse",
    "ModeSpec",
    "ParameterType",
    "Profile",
    "Rates",
    "Source",
    "SourcedLimit",
    "TargetVideo",
    "Tolerances",
    "VideoBounds",
    "WindowEnd",
]

MediaUse = Literal["required", "optional", "alternative"]
"""``alternative``: at least one of a mode's alternatives has to be given."""
ParameterType = Literal["string", "enum", "boolean", "integer", "url"]
WindowEnd = Literal["head", "tail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoBounds:
    """The numeric limits of a clip. Sizes are those of the displayed frame, bounds inclusive."""

    max_duration_s: Fraction
    """Of the longest track."""
    min_duration_s: Fraction
    """Of the picture."""
    min_area_px: int
    max_area_px: int
    min_side_px: int
    max_side_px: int
    side_multiple: int
    min_aspect: Fraction
    """Width over height."""
    max_aspect: Fraction
    min_rate: Fraction
    """Pictures a second."""
    max_rate: Fraction
    max_bytes: int

    @property
    def size_limits(self) -> SizeLimits:
        """The limits of area, sides and shape together."""
        return SizeLimits(
            min_area_px=self.min_area_px,
            max_area_px=self.max_area_px,
            min_side_px=self.min_side_px,
            max_side_px=self.max_side_px,
            side_multiple=self.side_multiple,
            min_aspect=self.min_aspect,
            max_aspect=self.max_aspect,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptVideo(VideoBounds):
    """A clip inside all of this needs no change."""

    containers: frozenset[str]
    """``mp4``, ``mov``."""
    video_codecs: frozenset[str]
    """FFmpeg's names, as for pixel formats and audio."""
    pixel_formats: frozenset[str]
    audio_codecs: Mapping[str, frozenset[str]]
    """By container; exactly those in ``containers``. No sound at all is always accepted."""
    allow_private_metadata: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetVideo(VideoBounds):
    """What the fields of a clip become once they have to change; inside ``accept(safe)``."""

    container: str
    video_codec: str
    pixel_format: str
    audio_codec: str
    audio_sample_rates_hz: tuple[int, ...]
    max_audio_channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """How far a cheaper route may be off before a costlier one is taken. Our own choices."""

    cut_tolerance_s: Fraction
    """What ending at a clean boundary may give up of the window."""
    tail_tolerance_s: Fraction
    """What starting at a keyframe may give up of a tail."""
    rate_snap: Fraction
    """Relative distance within which a measured rate counts as a standard one."""
    constant_s: Fraction
    """Distance from the grid within which a picture counts as on it."""
    rewrite_s: Fraction
    """Distance from the grid up to which time stamps are rewritten rather than frames repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """What a still image has to satisfy. Bounds inclusive."""

    formats: frozenset[str]
    """Taken by the model."""
    target_formats: frozenset[str]
    """Taken everywhere; the others are converted."""
    max_area_px: int
    min_side_px: int
    max_side_px: int
    min_aspect: Fraction
    max_aspect: Fraction
    max_bytes: int
    target_max_bytes: int
    """Of an image written by us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaField:
    """How a mode uses one media field of the request."""

    use: MediaUse
    role: Role
    proven: bool = True
    """``False`` where the sources disagree or only imply it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeSpec:
    """Which media a generation mode takes, and which end of a long clip."""

    media: Mapping[str, MediaField]
    """By request field: ``image``, ``image_end``, ``video``."""
    window: WindowEnd | None = None
    """Set for the modes that take a clip."""

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles of the media it takes, required ones first."""
        order = ("required", "alternative", "optional")
        fields = sorted(self.media.values(), key=lambda field: order.index(field.use))
        return tuple(field.role for field in fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """US dollars for a second of output."""

    without_video: Fraction
    with_video: Fraction
    """Where a clip is part of the request."""

    def of(self, *, with_video: bool) -> Fraction:
        """The one for such a request."""
        return self.with_video if with_video else self.without_video


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParameter:
    """One field of the generation request."""

    type: ParameterType
    required: bool = False
    default: bool | int | str | None = None
    """``None``: left out unless given."""
    allowed: tuple[str, ...] = ()
    """The values of an ``enum``."""
    min: int | None = None
    max: int | None = None
    """Of a ``string``: characters."""
    only_with: str | None = None
    """Name of a boolean parameter without which this one is not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document that limits were taken from."""

    document: str
    date: str
    """Of the document: a year, a month or a day, as far as it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedLimit:
    """One limit as it stands in the file, and who says so; for people."""

    key: str
    """Dotted, for example ``accept.safe.area_px``."""
    text: str
    """For example ``min 409600, max 927408``."""
    sources: tuple[str, ...]
    """Keys of ``Profile.sources``."""
    date: str
    """For which the sources say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Everything known about what one model of one provider takes."""

    name: str
    provider: str
    model: str
    sources: Mapping[str, Source]
    limits: tuple[SourcedLimit, ...]
    """Every limit with its sources, table by table."""
    accepts: Mapping[Level, AcceptVideo]
    """See :meth:`accept`."""
    target: TargetVideo
    tolerances: Tolerances
    images: ImageLimits
    sizes: Mapping[str, Mapping[str, Size]]
    """What the model renders, by resolution and ratio: ``sizes["720p"]["16:9"]``."""
    modes: Mapping[str, ModeSpec]
    rates: Mapping[str, Rates]
    """By resolution. See :meth:`price`."""
    parameters: Mapping[str, ApiParameter]

    def accept(self, level: Level) -> AcceptVideo:
        """What is left as it is at *level*, which includes all earlier levels."""
        return self.accepts[level]

    def price(self, seconds: Fraction, *, with_video: bool = True) -> dict[str, float]:  # noqa: ARG002 - rates are flat so far
        """US dollars a second for a request of *seconds*, by output resolution.

        *with_video*: the rate for requests that carry a clip.
        """
        return {name: float(rates.of(with_video=with_video)) for name, rates in self.rates.items()}
