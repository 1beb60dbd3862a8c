"""The second engine: which one, which encoder, and what an ffmpeg program says of itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Engine(StrEnum):
    """What executes an ``encode`` of a clip."""

    AV = "av"
    """FFmpeg's libraries, as PyAV carries them."""
    FFMPEG = "ffmpeg"
    """An ffmpeg program; ``CLIPREADY_FFMPEG``, else on the path, else imageio-ffmpeg's."""


class Encoder(StrEnum):
    """An H.264 encoder of an ffmpeg program, by FFmpeg's name."""

    X264 = "libx264"
    OPENH264 = "libopenh264"
    NVENC = "h264_nvenc"
    QSV = "h264_qsv"
    VAAPI = "h264_vaapi"
    VIDEOTOOLBOX = "h264_videotoolbox"

    @property
    def in_hardware(self) -> bool:
        """Whether a driver has a say in what memory it reserves."""
        return self not in (Encoder.X264, Encoder.OPENH264)


FILTERS = frozenset(
    {
        *("select", "metadata", "settb", "setpts", "bwdif", "scale", "crop", "transpose", "hflip"),
        *("vflip", "format", "lut3d", "negate", "premultiply", "setparams", "setsar", "pad"),
        *("split", "gblur", "overlay", "sidedata", "fps", "tpad", "trim", "loop", "hwupload"),
        *("asetpts", "aresample", "aformat", "pan", "alimiter", "atrim", "apad", "aloop"),
        *("streamselect", "asetnsamples", "asidedata"),
    }
)
"""Every filter that a command can name."""
BITSTREAM_FILTERS = frozenset({"noise", "setts"})
"""Those that choose and place copied packets of sound."""
OLDEST = (59, 27)
"""libavformat of FFmpeg 5.1: ``-fps_mode``, and ``noise`` that drops by an expression."""
OTHERWISE = "Use --engine av."
"""What to do about a program that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """What an ffmpeg program says of itself, as far as a command can ask for it."""

    path: str
    version: str
    """In its own words: ``5.1.9-0+deb12u1``."""
    libavformat: tuple[int, ...]
    """Major and minor; empty if it does not say. Builds between releases have no other number."""
    encoders: frozenset[str]
    """Of `Encoder` and ``aac``."""
    filters: frozenset[str]
    """Of `FILTERS`."""
    bitstream_filters: frozenset[str]
    """Of `BITSTREAM_FILTERS`."""
    reads_descriptors: bool
    """It has the protocol ``fd`` (FFmpeg 6.0), so that no name of an input reaches it."""
