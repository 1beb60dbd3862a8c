"""What will be done and why: routes, reasons, plans and rejections. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from fractions import Fraction

from preprocess.geometry import Box, Gravity, Orientation, Size


class Route(IntEnum):
    """How much has to be done, ordered by cost."""

    KEEP = 0
    REWRAP = 1
    CUT = 2
    ENCODE = 3

    @property
    def label(self) -> str:
        """The name used in JSON and on the terminal."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule that had something to say."""

    rule: str
    """Stable name, for example ``video.duration``."""
    measured: str
    """What the file is, for people: ``62.03 s``."""
    limit: str
    """What is allowed, for people: ``<= 15 s``."""
    value: float | int | str | None = None
    """``measured`` as a number or name, in ``unit``."""
    limit_value: float | int | str | None = None
    """The bound that was crossed, in ``unit``."""
    unit: str | None = None
    fix: str | None = None
    """What is done about it (in a plan), or what the caller can do (in a rejection)."""

    def sentence(self) -> str:
        """The reason as one sentence."""
        text = f"{self.rule}: {self.measured}; allowed: {self.limit}"
        return f"{text}; {self.fix}" if self.fix else text


class AudioAction(StrEnum):
    """What happens to the sound."""

    DROP = "drop"
    COPY = "copy"
    ENCODE = "encode"


class ShortAction(StrEnum):
    """How a clip that is too short is filled."""

    NONE = "none"
    HOLD = "hold"
    LOOP = "loop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The packets of the picture track that a copied route writes."""

    pts: tuple[int, ...]
    """Time stamps in decode order, in the track's time base, as the demuxer gives them."""
    skipped_leading: int = 0
    """Leading pictures of a CRA at the start that are left out."""

    @property
    def first_pts(self) -> int:
        """Time stamp of the first packet, which is also shown first."""
        return self.pts[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPlan:
    """What the sound of the result is made of. Times are seconds from the first written picture."""

    action: AudioAction
    stream: int | None = None
    """Index of the source stream."""
    sample_rate_hz: int | None = None
    channels: int | None = None
    bit_rate_bps: int | None = None
    """Target bit rate; ``encode`` only."""
    source_rate_hz: int | None = None
    frame_samples: int | None = None
    """Samples of one packet of the source, at its rate; ``None`` where packets differ."""
    expected_s: Fraction | None = None
    """Sound that the source's packets promise for the result; less is damage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """What a signal means where it is not SDR in BT.709, under FFmpeg's names."""

    primaries: str
    transfer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEncoding:
    """Everything the encode engine needs to know about the picture; neutral to the engine."""

    orientation: Orientation
    oriented: Size
    """Stored size once turned upright; pixels may not be square yet."""
    crop: Box | None
    """Region of the oriented picture that is kept, in its pixels; ``None`` keeps all."""
    scaled: Size
    """Size of the picture inside the result."""
    canvas: Size
    """Size of the result; larger than ``scaled`` where it is padded."""
    blur: bool
    """Padded with a blurred copy of the picture instead of black."""
    frame_rate: Fraction
    writes: tuple[int, ...]
    """How often each source picture is written, in display order."""
    deinterlace: bool
    """Pictures that are marked as two fields become one progressive picture each."""
    matrix_in: str
    """swscale name of the source's YCbCr matrix."""
    colours_in: Colours | None
    """What goes through a 3D LUT; ``None`` where colours stay as they are."""
    full_range_in: bool
    flatten: bool
    """Transparency is laid on white, as of still images."""
    crf: float
    preset: str
    level: str
    """Of H.264: the lowest with room for size and rate."""
    max_rate_bps: int
    buffer_bits: int
    keyframe_interval: int
    """Longest GOP, in pictures."""


BLUR_SHARE = 0.04
"""Standard deviation of the blur behind a padded picture, as part of the canvas's longer side."""
JPEG_QUALITIES = (95, 90, 85, 80, 70, 60)
"""Of images, with full chroma: the first that meets the byte cap; below 60 blocks are seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEncoding:
    """Everything the image engine needs to know; neutral to the library."""

    orientation: Orientation
    """What is still to be turned after decoding."""
    crop: Size | None
    """Region of the upright picture that is kept, in its pixels; ``None`` keeps all."""
    gravity: Gravity
    """Where that region lies."""
    scaled: Size
    """Size of the picture inside the result."""
    canvas: Size
    """Size of the result; larger than ``scaled`` where it is padded."""
    blur: bool
    """Padded with a blurred copy of the picture instead of black."""
    convert: bool
    """Colours are no sRGB: they go through the ICC profile, or one for what is stated."""
    primaries: str | None
    transfer: str | None
    """FFmpeg's names of what the file states where it has no profile."""
    hdr: Colours | None
    """What goes through a 3D LUT instead."""
    quality: int
    """Of a JPEG; lowered to meet the byte cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the result must turn out to be when it is measured anew."""

    route: Route
    container: str
    """Of an image its format."""
    width_px: int
    height_px: int
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedClip(Expected):
    """`Expected` of a clip."""

    frame_rate: Fraction
    frames: int
    duration_s: Fraction
    """Of the picture."""
    max_duration_s: Fraction
    """No track may be longer, edit lists honoured or ignored."""
    video_codec: str
    pixel_format: str | None
    audio_codec: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be done to a file, why, and what must come out."""

    route: Route
    reasons: tuple[Reason, ...]
    expected: Expected
    price: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan(Plan):
    """`Plan` for a still image."""

    ratio: str
    """The nominal ratio of a frame, ``16:9``; of a reference ``adaptive``."""
    encoding: ImageEncoding | None
    """Set for ``encode``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlan(Plan):
    """`Plan` for a clip."""

    expected: ExpectedClip
    start_s: Fraction
    """Window start, from the first shown picture of the source."""
    source_start_s: Fraction
    """The same on the source's own clock: the time stamp at which the result begins."""
    video_stream: int
    slice: Slice | None
    """Set for ``rewrap`` and ``cut``."""
    retimed: bool
    """Time stamps are rewritten to a new grid, so a rate stored in the bitstream follows."""
    encoding: VideoEncoding | None
    """Set for ``encode``."""
    source_pts: tuple[int, ...]
    """Time stamps of the source's pictures inside the window, in display order."""
    exact_pts: bool
    """``False``: the container stores no presentation times, so pictures are only counted."""
    short: ShortAction
    audio: AudioPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What the provider charges for the clip's seconds as input."""

    seconds: Fraction
    usd_per_second: dict[str, float]
    """By output resolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why nothing can be done: every objection."""

    reasons: tuple[Reason, ...]
