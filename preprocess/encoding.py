"""Encoder settings: how large, how good, at what ceiling. Pure."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.facts import Dynamic
from preprocess.geometry import Orientation, Size, rescaled
from preprocess.plan import AudioPlan, Colours, VideoEncoding
from preprocess.transfer import HLG, PQ

if TYPE_CHECKING:
    from preprocess.facts import VideoTrack
    from preprocess.profiles.model import TargetVideo
    from preprocess.shape import TargetPicture
    from preprocess.window import Chosen

PRESET = "superfast"
CRF = 19.0
"""No lower VMAF than `veryfast` at 18 in two thirds of its time; more bytes, for which the cap has
room (benchmarks/README.md). And `superfast` has no macroblock tree: with it x264 (core 165, in
PyAV 18.1.0) reads memory that nobody has written, and one encode of twenty comes out otherwise."""
KEYFRAME_INTERVAL_S = 2
BUFFER_S = 1
"""VBV buffer: short enough that a 15 s clip keeps its byte cap, long enough for one key picture."""
_LEVELS = (
    # name, macroblocks a second, macroblocks a picture, bit/s and buffer of the High profile
    ("3.0", 40_500, 1_620, 12_500_000, 12_500_000),
    ("3.1", 108_000, 3_600, 17_500_000, 17_500_000),
    ("3.2", 216_000, 5_120, 25_000_000, 25_000_000),
    ("4.0", 245_760, 8_192, 25_000_000, 31_250_000),
    ("4.2", 522_240, 8_704, 62_500_000, 78_125_000),
    ("5.1", 983_040, 36_864, 300_000_000, 300_000_000),
)
"""ITU-T H.264 (08/2021), tables A-1 and A-2; 4.1 and 5.0 only add bits."""
LOWEST_VIDEO_BPS = 200_000
"""Below this a 480p picture is not worth sending; the byte cap is then a rejection."""
_HD_HEIGHT = 577
_HD_WIDTH = 1280
PLAIN_TRANSFERS = {None, "bt709", "smpte170m", "gamma22", "gamma28", "iec61966-2-1", "smpte240m",
                   "bt2020-10", "bt2020-12"}  # fmt: skip
"""SDR transfer functions that a BT.709 display shows right or nearly so."""
PLAIN_PRIMARIES = {None, "bt709", "smpte170m", "bt470bg", "bt470m", "smpte240m", "ebu3213"}
"""As `PLAIN_TRANSFERS`: BT.601 differs from BT.709 by less than players do from each other."""
_HDR_TRANSFERS = {Dynamic.PQ: PQ, Dynamic.HLG: HLG}


def max_video_rate_bps(max_bytes: int, duration_s: Fraction, audio: AudioPlan) -> int:
    """The rate ceiling that keeps a clip under *max_bytes*.

    A VBV-bound stream of T seconds has at most ``rate * (T + 0.9 * buffer)`` bits with x264's
    initial fill of 0.9; three per cent are left for the container.
    """
    bits = Fraction(97, 100) * 8 * max_bytes
    audio_bps = (audio.bit_rate_bps or 256_000) if audio.stream is not None else 0
    rate = bits / (duration_s + Fraction(9, 10) * BUFFER_S) - audio_bps
    return max(LOWEST_VIDEO_BPS, int(rate))


def level(size: Size, rate: Fraction) -> tuple[str, int, int]:
    """(name, highest bit/s, largest buffer in bits) of the lowest H.264 level that has room.

    Without one, x264 takes the level from the rate ceiling, which for short clips is absurd.
    """
    blocks = -(-size.width // 16) * -(-size.height // 16)
    for name, a_second, a_picture, bps, buffer in _LEVELS:
        if blocks <= a_picture and blocks * rate <= a_second:
            return name, bps, buffer
    name, _, _, bps, buffer = _LEVELS[-1]
    return name, bps, buffer


def assumed_matrix(video: VideoTrack) -> str:
    """The YCbCr matrix of a picture; players assume BT.601 for small untagged ones."""
    if video.color_matrix is not None:
        return video.color_matrix
    if video.dynamic is not Dynamic.SDR or video.color_primaries == "bt2020":
        return "bt2020nc"
    hd = video.coded.height >= _HD_HEIGHT or video.coded.width >= _HD_WIDTH
    return "bt709" if hd else "smpte170m"


def hdr_colours(dynamic: Dynamic, primaries: str | None) -> Colours | None:
    """What is tone-mapped, if anything; HDR that names no primaries has those of BT.2100."""
    transfer = _HDR_TRANSFERS.get(dynamic)
    return None if transfer is None else Colours(primaries=primaries or "bt2020", transfer=transfer)


def colours_to_convert(video: VideoTrack) -> Colours | None:
    """What the picture's colours are if BT.709 displays would show them wrong."""
    hdr = hdr_colours(video.dynamic, video.color_primaries)
    if hdr is not None:
        return hdr
    if video.color_primaries in PLAIN_PRIMARIES and video.color_transfer in PLAIN_TRANSFERS:
        return None
    return Colours(
        primaries=video.color_primaries or "bt709",
        transfer=video.color_transfer or "bt709",
    )


def video_encoding(
    video: VideoTrack,
    chosen: Chosen,
    picture: TargetPicture,
    target: TargetVideo,
    duration_s: Fraction,
    audio: AudioPlan,
) -> VideoEncoding:
    """Settings for one pass over the chosen pictures."""
    rate = chosen.rate
    orientation = video.orientation or Orientation.NORMAL
    stored = video.coded
    oriented = Size(stored.height, stored.width) if orientation.swaps_sides else stored
    name, most_bps, most_bits = level(picture.canvas, rate)
    ceiling = min(most_bps, max_video_rate_bps(target.max_bytes, duration_s, audio))
    return VideoEncoding(
        orientation=orientation,
        oriented=oriented,
        # In stored pixels, which may not be square.
        crop=rescaled(picture.crop, video.displayed, oriented) if picture.crop else None,
        scaled=picture.scaled,
        canvas=picture.canvas,
        blur=picture.blur,
        frame_rate=rate,
        writes=chosen.writes,
        deinterlace=bool(video.interlaced),
        matrix_in=assumed_matrix(video),
        colours_in=colours_to_convert(video),
        full_range_in=bool(video.full_range),
        flatten=video.alpha,
        crf=CRF,
        preset=PRESET,
        level=name,
        max_rate_bps=ceiling,
        buffer_bits=min(most_bits, ceiling * BUFFER_S),
        keyframe_interval=round(rate * KEYFRAME_INTERVAL_S),
    )
