"""What a file is, measured. Pure.

Unknown is ``None``; a header's claim ends in ``_from_header``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from preprocess.geometry import Orientation, Size


class Kind(StrEnum):
    """What the bytes are, whatever the name says."""

    VIDEO = "video"
    AUDIO = "audio"
    IMAGE = "image"
    OTHER = "other"


class Dynamic(StrEnum):
    """Dynamic range of a picture, by transfer function."""

    SDR = "sdr"
    PQ = "pq"
    HLG = "hlg"
    DOLBY_VISION = "dolby_vision"
    """Without a picture that anything but Dolby Vision can show: profile 5, for one."""


class SyncKind(StrEnum):
    """What a key picture promises about the pictures around it."""

    IDR = "idr"
    """Nothing after it refers to anything before it (H.264 type 5, HEVC IDR and BLA)."""
    CRA = "cra"
    """As IDR once its leading pictures are left out (HEVC CRA)."""
    OTHER = "other"
    """A key frame by the container's word only: recovery points, open-GOP I pictures."""
    UNSEEN = "unseen"
    """Not looked at; only the ones a window may start from are read."""


class IndexPlace(StrEnum):
    """Where the index of a file stands."""

    FIRST = "first"
    LAST = "last"
    FRAGMENTED = "fragmented"
    NONE = "none"


class EditShape(StrEnum):
    """What an edit list does to a track (ISO/IEC 14496-12, 8.6.6)."""

    NONE = "none"
    PLAIN = "plain"
    """One edit at rate 1 that hides no picture."""
    TRIMS = "trims"
    """One edit at rate 1 that hides pictures or sound, or delays the start."""
    COMPLEX = "complex"
    """Several edits, a dwell or another rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A key picture of a table."""

    index: int
    """Position in ``PictureTable.pts``."""
    kind: SyncKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTable:
    """The pictures around a window, in decode order, with the demuxer's time stamps.

    Every moment a plan needs is decided from this table: cadence, clean boundaries, safe starts.
    """

    time_base: Fraction
    """Seconds per tick."""
    pts: tuple[int, ...]
    """Presentation time stamps in ticks."""
    sizes: tuple[int, ...]
    """Bytes of each packet."""
    sync: tuple[Sync, ...]
    at_start: bool
    """The first entry is the first picture of the stream."""
    at_end: bool
    """The last entry is the last picture of the stream."""
    last_duration: int
    """Ticks for which the last shown picture stays."""
    origin_pts: int
    """pts of the first shown picture of the stream: zero of all windows."""
    pauses: bool = False
    """The last picture stays for ``last_duration``, however long: animated images mean it."""
    shown_from: int | None = None
    """An edit list hides pictures before this pts."""
    shown_until: int | None = None
    """An edit list hides pictures at or after this pts."""
    exact_pts: bool = True
    """``False`` where the container stores no presentation times and decode times stand in."""

    def is_shown(self, pts: int) -> bool:
        """Whether the edit list shows the picture at *pts*."""
        after_start = self.shown_from is None or pts >= self.shown_from
        return after_start and (self.shown_until is None or pts < self.shown_until)

    def since_origin_s(self, pts: int | Fraction) -> Fraction:
        """Time of *pts* from the first shown picture."""
        return (pts - self.origin_pts) * self.time_base


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTrack:
    """The picture track that would be used."""

    stream: int
    codec: str
    """FFmpeg's codec name, for example ``h264``."""
    profile: str | None
    level: int | None
    decodable: bool
    """Its decoder is on the list of those we open for strangers' bytes."""
    coded: Size
    """Size of the decoded picture."""
    displayed: Size
    """Size as shown: turned, in square pixels."""
    orientation: Orientation | None
    """``None``: the display matrix does more than quarter turns and mirroring."""
    sample_aspect: Fraction
    """Width over height of one pixel; 1 where nothing is said."""
    pixel_format: str | None
    bit_depth: int | None
    color_matrix: str | None
    color_primaries: str | None
    color_transfer: str | None
    full_range: bool | None
    dynamic: Dynamic
    dolby_vision_profile: int | None
    interlaced: bool | None
    has_b_frames: bool | None
    alpha: bool
    edit: EditShape
    table: PictureTable
    duration_s: Fraction | None
    """From the first to the end of the last shown picture; ``None`` if the end was not read."""
    media_duration_s: Fraction | None
    """As ``duration_s``, for a reader that ignores edit lists."""
    frames: int | None
    """Pictures in the stream; ``None`` if not all were seen."""
    bit_rate_bps: int | None
    duration_s_from_header: Fraction | None
    frames_from_header: int | None
    frame_rate_from_header: Fraction | None
    readable_frames: int | None = None
    """Pictures whose bytes are inside the file; set when some are not."""
    left_out: int = 0
    """Pictures at the end that are not in the table: the file was broken off inside one."""
    lossy: bool = False
    """A counter of packets jumps: some were lost, or recordings joined; only decoding tells."""
    uniform: bool = True
    """No picture that was looked at is announced with another size or format than the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time, in seconds from the first shown picture."""

    start_s: Fraction
    end_s: Fraction

    @property
    def length_s(self) -> Fraction:
        """From start to end."""
        return self.end_s - self.start_s

    def shared_s(self, start_s: Fraction, end_s: Fraction) -> Fraction:
        """How much of it lies between *start_s* and *end_s*."""
        return max(Fraction(0), min(self.end_s, end_s) - max(self.start_s, start_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """The sound track that would be used. Picture time is the clock of ``PictureTable``."""

    stream: int
    codec: str
    profile: str | None
    decodable: bool
    channels: int | None
    sample_rate_hz: int | None
    bit_rate_bps: int | None
    time_base: Fraction
    offset_s: Fraction
    """Added to a raw audio time stamp in seconds, it gives picture time."""
    start_s: Fraction | None
    """First audible sample, from the first shown picture; negative: sound begins earlier."""
    priming_s: Fraction
    """Hidden at the start by an edit list: encoder delay, usually."""
    frame_samples: int | None
    """Samples of one packet, where they all have the same number."""
    duration_s: Fraction | None
    """Audible length."""
    media_duration_s: Fraction | None
    """Length for a reader that ignores edit lists."""
    gap_s: Fraction
    """How far packets of the window stray from following each other: holes, added up;
    where packets differ in length, the largest hole."""
    bytes_per_s: float | None
    edit: EditShape
    spans: tuple[Span, ...] | None = None
    """Where packets promise sound around the window, the holes between them left out."""
    window_s: Fraction | None = None
    """Sound that the index promises for the window; set where not all of it is in the file."""
    readable_s: Fraction | None = None
    """How much of ``window_s`` has its bytes inside the file."""
    uneven: str | None = None
    """Why its packets cannot be copied one after the other; found by trying."""
    channel_layout: str | None = None
    """FFmpeg's name for where the channels are: ``stereo``, ``5.1(side)``, ``ambisonic 1``;
    ``16 channels`` where nothing says."""
    passed_over: tuple[str, ...] = ()
    """Sound tracks that would have come first, but that nothing here reads: ``track 1 (apac)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StillImage:
    """A still image, or the first frame of an animated one; nothing of it was decoded."""

    stored: Size
    displayed: Size
    """Turned upright."""
    orientation: Orientation
    """What the file says is still to be turned after decoding; HEIF decoders have done it."""
    mode: str
    """Pillow's name: ``RGB``, ``L``, ``P``, ``CMYK``, ``I;16`` …"""
    bit_depth: int
    coding: str | None
    """The process of a JPEG: ``baseline``, ``extended``, ``progressive``, ``arithmetic`` …"""
    scalable: bool = False
    """A JPEG in one scan, which its decoder makes smaller without holding all of it."""
    unended: bool = False
    """A JPEG that lacks its last marker and nothing else."""
    alpha: bool
    animated: bool
    profile_name: str | None
    """Description of the ICC profile; ``None`` where there is none."""
    srgb: bool
    """Its colours are shown as sRGB: by profile, by code points, or because nothing is said."""
    profile_broken: bool
    """There is a profile that nothing can read, or one of another kind of picture."""
    primaries: str | None
    transfer: str | None
    """As code points (``nclx``, ``cICP``) name them, where there is no profile."""
    dynamic: Dynamic


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """One stream of the container, used or not."""

    index: int
    kind: str
    """``video``, ``audio``, ``subtitle``, ``data``, ``attachment``."""
    codec: str | None
    disposition: tuple[str, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a file is."""

    kind: Kind
    container: str | None
    """``mp4``, ``mov``, ``3gp``, ``matroska``, ``mpegts`` …; ``None`` if unknown."""
    description: str
    """What the bytes are, for people: ``MP4 video``, ``PDF document``."""
    size_bytes: int
    supported: bool
    """The container is on the list of those we open."""
    fault: str | None = None
    """Why nothing more is known: ``input.corrupt``, ``input.truncated`` …; of an animation whose
    ``image`` is known, why it is no clip."""
    fault_detail: str | None = None
    brands: tuple[str, ...] = ()
    index: IndexPlace = IndexPlace.NONE
    video: VideoTrack | None = None
    """Of an animated image too, beside ``image``."""
    audio: AudioTrack | None = None
    image: StillImage | None = None
    streams: tuple[StreamFacts, ...] = ()
    private_metadata: tuple[str, ...] = ()
    encrypted: bool = False
    bytes_read: int | None = None
    """Bytes the probe asked the file for."""
    duration_s_from_header: Fraction | None = None
