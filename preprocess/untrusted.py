"""What FFmpeg may do with bytes of strangers, as libraries and as a program. Pure."""

from __future__ import annotations

MAX_PIXELS = 8192 * 4320
"""Largest picture that is decoded: 8K, more than any camera in use."""
MAX_STREAMS = 16

VIDEO_DECODERS = frozenset(
    {
        *("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg1video", "mpeg2video", "mpeg4"),
        *("msmpeg4v1", "msmpeg4v2", "msmpeg4", "h263", "flv", "wmv1", "wmv2", "wmv3", "vc1"),
        *("theora", "prores", "dnxhd", "dvvideo", "mjpeg", "png", "rawvideo"),
        *("gif", "apng", "qtrle", "libvpx", "libvpx-vp9"),
    }
)
AUDIO_DECODERS = frozenset(
    {
        *("aac", "mp3", "mp3float", "mp2", "mp2float", "mp1", "opus", "vorbis", "flac", "alac"),
        *("ac3", "eac3", "amrnb", "amrwb", "wmav1", "wmav2", "wmapro", "adpcm_ms"),
        *("adpcm_ima_wav", "adpcm_ima_qt", "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8"),
        *("aac_latm", "dca", "adpcm_swf", "pcm_dvd", "pcm_bluray"),
        *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be"),
        *("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be"),
    }
)
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own decoders of these leave out the alpha that Matroska stores beside the picture
(8.1.2). Others of libvpx have had holes (CVE-2023-5217 and 2024-5197, closed in 1.13.1 and 1.14.1;
the wheel has 1.16.0), so it sees only streams that have alpha, in the worker as all else."""
CODEC_WHITELIST = ",".join(sorted(VIDEO_DECODERS | AUDIO_DECODERS))

# An indexed file says in its header what streams there are; FFmpeg's default probing would still
# decode up to 18 frames of a 4K clip (207 ms against 52 ms, phone clip, FFmpeg 8.1.2).
_INDEXED_PROBING = {"probesize": "65536", "analyzeduration": "1", "fpsprobesize": "0"}
_SCANNED_PROBING = {
    "probesize": "5000000",
    "formatprobesize": "1048576",
    "analyzeduration": "5000000",
    "max_probe_packets": "500",
    "fpsprobesize": "20",
}
# Delays under 1/99 s become 1/10 s, as browsers have it.
_APNG_TIMES = {"max_fps": "99", "default_fps": "10"}


def demuxing(demuxer: str, *, ignore_edits: bool) -> dict[str, str]:
    """Options of the demuxer: what it may open, how far it looks, how it tells time."""
    options = {
        "format_whitelist": demuxer,
        "max_streams": str(MAX_STREAMS),
        **(_INDEXED_PROBING if demuxer == "mov" else _SCANNED_PROBING),
    }
    if demuxer == "mov":
        options["ignore_editlist"] = "1" if ignore_edits else "0"
    elif demuxer == "apng":
        options.update(_APNG_TIMES)
    return options
