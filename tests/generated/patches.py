"""Clips of flat patches in any colours and depth, tagged apart in bitstream and container."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Colour = tuple[float, float, float]
SIDE = 640
"""Of the picture: as small as a clip may be without being scaled."""
PATCH = 80
_ACROSS = SIDE // PATCH
MOST = _ACROSS * _ACROSS
FRAMES, RATE = 50, Fraction(25)
UNSPECIFIED = (2, 2, 2)
BT709, PQ, HLG = (1, 1, 1), (9, 16, 9), (9, 18, 9)
"""Primaries, transfer and matrix of ITU-T H.273."""
WIDE_SDR, P3 = (9, 14, 9), (12, 1, 1)
# ITU-T H.273, table 4: shares of red and blue in luma.
_LUMA = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """How the patches are coded and what is said of it."""

    bitstream: tuple[int, int, int]
    container: tuple[int, int, int]
    matrix: int = 9
    """The one they are coded with, whatever is said."""
    full: bool = False
    bits: int = 10
    parameters: str = ""
    """More of x265's."""


def make_patches(path: Path, patches: Sequence[Colour], how: Tagged) -> Path:
    """Two seconds of *patches*, signals 0 to 1, in HEVC; read them back with `read_patches`."""
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("libx265", rate=RATE)
        context = stream.codec_context
        context.width = context.height = SIDE
        context.pix_fmt = "yuv420p" if how.bits == 8 else f"yuv420p{how.bits}le"
        context.color_primaries, context.color_trc, context.colorspace = how.container
        context.color_range = 2 if how.full else 1
        context.codec_tag = "hvc1"
        said = zip(("colorprim", "transfer", "colormatrix"), how.bitstream, strict=True)
        parameters = [f"{name}={number}" for name, number in said]
        parameters += ["pools=none", "frame-threads=1", "log-level=none", "bframes=0"]
        parameters += [how.parameters] if how.parameters else []
        context.options = {
            "preset": "ultrafast",
            "crf": "2",
            "x265-params": ":".join(parameters),
        }
        frame = _painted(patches, how)
        for number in range(FRAMES):
            frame.pts, frame.time_base = number, 1 / RATE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _painted(patches: Sequence[Colour], how: Tagged) -> av.VideoFrame:
    frame = av.VideoFrame(SIDE, SIDE, "yuv420p" if how.bits == 8 else f"yuv420p{how.bits}le")
    padded = [*patches, *[(0.0, 0.0, 0.0)] * (MOST - len(patches))]
    coded = [_ycbcr(colour, how) for colour in padded]
    for n, plane in enumerate(frame.planes):
        width, form = (PATCH, "<H") if n == 0 else (PATCH // 2, "<H")
        form = "B" if how.bits == 8 else form
        rows = b""
        for start in range(0, MOST, _ACROSS):
            cells = (struct.pack(form, value[n]) * width for value in coded[start:][:_ACROSS])
            row = b"".join(cells)
            rows += row.ljust(plane.line_size, b"\0") * width
        plane.update(rows)
    return frame


def _ycbcr(colour: Colour, how: Tagged) -> tuple[int, int, int]:
    red, green, blue = colour
    kr, kb = _LUMA[how.matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    scale = 1 << (how.bits - 8)
    top = (1 << how.bits) - 1
    if how.full:
        half = 1 << (how.bits - 1)
        return round(top * luma), _cut(half + top * cb, top), _cut(half + top * cr, top)
    luma_code = round(scale * (16 + 219 * luma))
    return luma_code, round(scale * (128 + 224 * cb)), round(scale * (128 + 224 * cr))


def _cut(value: float, top: int) -> int:
    return min(top, max(0, round(value)))


def read_patches(
    path: Path, count: int, *, ffmpeg: str = "ffmpeg", filters: str = ""
) -> list[Colour]:
    """Means of the patches' middles in 8-bit R'G'B', as that *ffmpeg* decodes picture 20.

    Without *filters* the picture is BT.709, limited range.
    """
    to_rgb = "scale=in_color_matrix=bt709:in_range=limited:out_range=full,format=gbrp"
    chain = ",".join(step for step in (r"select=eq(n\,20)", filters, to_rgb) if step)
    command = [ffmpeg, "-v", "error", "-nostdin", "-i", str(path), "-vf", chain]
    command += ["-frames:v", "1", "-f", "rawvideo", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    size = SIDE * SIDE
    green, blue, red = (data[n * size : (n + 1) * size] for n in range(3))
    return [(_mean(red, n), _mean(green, n), _mean(blue, n)) for n in range(count)]


def _mean(plane: bytes, patch: int) -> float:
    left, top = patch % _ACROSS * PATCH, patch // _ACROSS * PATCH
    inner = range(PATCH // 4, PATCH * 3 // 4)
    values = [plane[(top + y) * SIDE + left + x] for y in inner for x in inner]
    return sum(values) / len(values)


def add_box(path: Path, payload: bytes) -> None:
    """Put *payload* behind the decoder configuration of the first sample entry.

    The index has to stand last, so that no offset moves.
    """
    data = bytearray(path.read_bytes())
    place = data.index(b"moov")
    assert place > data.index(b"mdat")
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"):
        place = data.index(kind, place)
        size = struct.unpack_from(">I", data, place - 4)[0]
        struct.pack_into(">I", data, place - 4, size + len(payload))
    start = data.index(b"hvcC", place) - 4
    end = start + struct.unpack_from(">I", data, start)[0]
    data[end:end] = payload
    path.write_bytes(data)


def dolby_vision(profile: int, compatibility: int) -> bytes:
    """A configuration box: Dolby Vision Streams Within the ISO Base Media File Format, 3.2."""
    numbers = struct.pack(">BBHB", 1, 0, profile << 9 | 6 << 3 | 0b101, compatibility << 4)
    return struct.pack(">I4s", 32, b"dvcC" if profile <= 7 else b"dvvC") + numbers.ljust(24, b"\0")
