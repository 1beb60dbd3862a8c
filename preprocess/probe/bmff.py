"""The index of ISO base media files (MP4, MOV, 3GP), read without any media data.

Box layouts: ISO/IEC 14496-12:2022 and Apple's QuickTime File Format Specification (2016-09-13).
FFmpeg's index gives decode times only and applies edit lists before we see them; clean boundaries
need presentation times and the edits as they are stored.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING, NamedTuple

from preprocess.geometry import Orientation, orientation_of
from preprocess.probe.boxes import (
    MAX_DEPTH,
    MAX_INDEX_BYTES,
    BoxError,
    Reader,
    children,
    name_of,
    top_level,
)
from preprocess.probe.private import SPARE, is_blank, names_a_device, read_user_data, remnants

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTAINERS = {b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"tref"}
_TELLING_TOP = {b"uuid", b"udta", b"meta", b"emsg", b"prft", b"pnot", b"PICT"}
"""Text, a clock of the day, a preview: nothing that a player needs."""
_KNOWN_TOP = {b"ftyp", b"styp", b"moov", b"mdat", b"mfra", b"sidx", b"ssix", b"pdin"}
_MAX_SPARE_BYTES = 1 << 20
"""Free space that is looked through; in more, whatever lies there, something may be hidden."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry of an edit list."""

    duration: int
    """In movie ticks."""
    media_time: int
    """In media ticks; -1 is an empty edit."""
    rate: float


class RunTable:
    """A run-length table of (count, value) pairs, as ``stts`` and ``ctts`` store them."""

    def __init__(self, counts: Sequence[int], values: Sequence[int]) -> None:
        self._counts = counts
        self._values = values
        # Cumulative sums in C: a two-hour film with B-frames has 200,000 runs.
        self._ends = list(accumulate(counts))
        self.total = self._ends[-1] if self._ends else 0

    def expand(self, start: int, stop: int) -> list[int]:
        """Values of the samples *start* to *stop*."""
        found: list[int] = []
        for count, value in self.runs(start, stop):
            found.extend([value] * count)
        return found

    def runs(self, start: int, stop: int) -> list[tuple[int, int]]:
        """(count, value) of the samples *start* to *stop*."""
        run = bisect_right(self._ends, start)
        found = []
        while start < stop and run < len(self._ends):
            end = min(stop, self._ends[run])
            if end > start:
                found.append((end - start, self._values[run]))
            start = end
            run += 1
        return found

    def sum_before(self, index: int) -> int:
        """Sum over all samples before *index*."""
        run = bisect_right(self._ends, index)
        total: int = sum(map(mul, self._counts[:run], self._values[:run]))
        if run < len(self._ends):
            begin = self._ends[run] - self._counts[run]
            total += (index - begin) * self._values[run]
        return total

    def index_at(self, target: int) -> int:
        """First sample at whose beginning the running sum is at least *target*."""
        sums = list(accumulate(map(mul, self._counts, self._values)))
        run = bisect_left(sums, target)
        if run >= len(sums):
            return self.total
        value = self._values[run]
        before = sums[run] - self._counts[run] * value
        begin = self._ends[run] - self._counts[run]
        return begin + (max(0, -(-(target - before) // value)) if value > 0 else 0)

    def constant(self) -> int | None:
        """The one value of all samples, the last one apart (a muxer often shortens it)."""
        values = list(self._values)
        if len(values) == 2 and self._counts[1] == 1:
            values.pop()
        return values[0] if len(values) == 1 else None


class DolbyVision(NamedTuple):
    """A configuration record (Dolby Vision Streams Within the ISO Base Media File Format, 3.2)."""

    profile: int
    compatibility: int
    """What other players show: 0 nothing, 1 and 6 HDR10, 2 SDR, 4 HLG."""


@dataclass(slots=True, kw_only=True)
class Track:
    """One ``trak``."""

    id: int = 0
    handler: str = ""
    handler_name: str = ""
    format: str = ""
    """FourCC of the first sample entry."""
    time_scale: int = 0
    duration: int = 0
    """Media ticks, from ``mdhd``."""
    orientation: Orientation | None = Orientation.NORMAL
    edits: list[Edit] = field(default_factory=list)
    deltas: RunTable | None = None
    offsets: RunTable | None = None
    sync: array[int] | None = None
    """Zero-based numbers of key samples; ``None``: all are."""
    samples: int = 0
    uniform_size: int = 0
    sizes: array[int] | None = None
    sample_entries: int = 0
    chapters_track: bool = False
    dolby_vision: DolbyVision | None = None
    colour_points: tuple[int, int, int] | None = None
    """Primaries, transfer and matrix of a ``colr`` box, ITU-T H.273."""

    def sample_sizes(self, start: int, stop: int) -> list[int]:
        """Bytes of the samples *start* to *stop*."""
        if self.sizes is None:
            return [self.uniform_size] * (stop - start)
        return list(self.sizes[start:stop])

    def presentation_times(self, start: int, stop: int) -> list[int]:
        """Presentation time of the samples *start* to *stop*, in media ticks, edits ignored."""
        if self.deltas is None:
            return []
        time = self.deltas.sum_before(start)
        found = []
        for delta in self.deltas.expand(start, stop):
            found.append(time)
            time += delta
        if self.offsets is None:
            return found
        return [t + o for t, o in zip(found, self.offsets.expand(start, stop), strict=False)]

    def sync_between(self, start: int, stop: int) -> range | array[int]:
        """Key samples in *start* to *stop*."""
        if self.sync is None:
            return range(start, stop)
        return self.sync[bisect_left(self.sync, start) : bisect_left(self.sync, stop)]

    def sync_at_or_before(self, index: int) -> int:
        """The last key sample at or before *index*; 0 if there is none."""
        if self.sync is None:
            return index
        place = bisect_right(self.sync, index)
        return self.sync[place - 1] if place else 0


@dataclass(slots=True, kw_only=True)
class Movie:
    """The index of a file."""

    brands: tuple[str, ...] = ()
    index_first: bool = True
    fragmented: bool = False
    time_scale: int = 1000
    duration: int = 0
    tracks: list[Track] = field(default_factory=list)
    private: set[str] = field(default_factory=set)
    encrypted: bool = False
    media_end: int = 0
    """Offset at which the boxes say the file ends."""
    bytes_read: int = 0

    @property
    def has_simple_edits(self) -> bool:
        """Whether every track has at most one media edit, at rate 1."""
        return all(self.edit_offset(track) is not None for track in self.tracks)

    def edit_offset(self, track: Track) -> tuple[Fraction, int] | None:
        """(empty seconds, media time) of a track with at most one media edit at rate 1.

        ``None`` for anything more involved.
        """
        empty = 0
        edits = list(track.edits)
        while edits and edits[0].media_time == -1:
            empty += edits.pop(0).duration
        if len(edits) > 1 or any(edit.rate != 1 for edit in edits):
            return None
        media_time = edits[0].media_time if edits else 0
        return Fraction(empty, self.time_scale or 1), media_time


def read_movie(fd: int, size: int) -> Movie:
    """Read the index of the file behind *fd*.

    Raises:
        BoxError: the structure is broken, absurdly large, or holds no index.
    """
    reader = Reader(fd, size)
    movie = Movie()
    found: set[bytes] = set()
    for kind, start, header, end in top_level(reader):
        movie.media_end = max(movie.media_end, end)
        if kind == b"moov" and kind not in found:
            movie.index_first = b"mdat" not in found
            _read_index(reader, movie, start, header, end)
        elif kind == b"ftyp":
            _read_brands(reader.read(start + header, min(end - start - header, 1024)), movie)
        elif kind in _TELLING_TOP or (
            kind in SPARE and _holds_something(reader, start + header, end)
        ):
            movie.private.add(f"box:{name_of(kind)}")
        elif kind == b"moof":
            movie.fragmented = True
            break
        elif kind not in _KNOWN_TOP and kind not in SPARE:
            movie.private.add("trailing_data")
            break
        found.add(kind)
    movie.bytes_read = reader.bytes_read
    if b"moov" not in found:
        has_media = b"mdat" in found
        msg = "media data without an index" if has_media else "no index"
        raise BoxError(msg, truncated=has_media)
    return movie


def _holds_something(reader: Reader, start: int, end: int) -> bool:
    length = min(end, reader.size) - start
    return length > _MAX_SPARE_BYTES or not is_blank(reader.read(start, length))


def _read_index(reader: Reader, movie: Movie, start: int, header: int, end: int) -> None:
    if end > reader.size:
        msg = f"the index ends {end - reader.size} bytes after the file"
        raise BoxError(msg, truncated=True)
    if end - start > MAX_INDEX_BYTES:
        msg = f"the index has {end - start} bytes, more than {MAX_INDEX_BYTES}"
        raise BoxError(msg)
    _read_moov(memoryview(reader.read(start + header, end - start - header)), reader, movie)


def _read_brands(body: bytes, movie: Movie) -> None:
    major, compatible = body[:4], [body[i : i + 4] for i in range(8, len(body) - 3, 4)]
    movie.brands = tuple(name_of(brand) for brand in (major, *compatible))


def _read_moov(data: memoryview, reader: Reader, movie: Movie) -> None:
    boxes = list(children(data, reader))
    movie.private |= remnants(boxes)
    for kind, body in boxes:
        if kind == b"mvhd":
            try:
                created, movie.time_scale, movie.duration = _header_times(bytes(body))
            except (struct.error, IndexError) as error:
                msg = f"box mvhd is damaged: {error}"
                raise BoxError(msg) from error
            if created:
                movie.private.add("creation_time")
        elif kind == b"trak":
            track = Track()
            _read_track(body, reader, movie, track, 0)
            movie.tracks.append(track)
        elif kind in (b"udta", b"meta"):
            movie.private |= read_user_data(kind, body, reader)
        elif kind == b"uuid":
            movie.private.add("box:uuid")
    for track in movie.tracks:
        if track.chapters_track:
            movie.private.add("chapters")


def _read_track(data: memoryview, reader: Reader, movie: Movie, track: Track, depth: int) -> None:
    if depth > MAX_DEPTH:
        msg = f"boxes nested deeper than {MAX_DEPTH}"
        raise BoxError(msg)
    boxes = list(children(data, reader))
    movie.private |= remnants(boxes)
    for kind, body in boxes:
        if kind in _CONTAINERS:
            _read_track(body, reader, movie, track, depth + 1)
        elif kind == b"chap":
            track.chapters_track = True
        elif kind in (b"udta", b"meta") and depth == 0:
            movie.private |= read_user_data(kind, body, reader)
        elif kind in _LEAVES:
            try:
                _LEAVES[kind](bytes(body), movie, track)
            except (struct.error, IndexError, ValueError) as error:
                msg = f"box {name_of(kind)} is damaged: {error}"
                raise BoxError(msg) from error


def _header_times(body: bytes) -> tuple[int, int, int]:
    """(creation or modification time, time scale, duration) of mvhd or mdhd."""
    if body[0] == 1:
        created, modified, scale, duration = struct.unpack_from(">QQIQ", body, 4)
        unknown = 0xFFFFFFFFFFFFFFFF
    else:
        created, modified, scale, duration = struct.unpack_from(">IIII", body, 4)
        unknown = 0xFFFFFFFF
    return created or modified, scale, 0 if duration == unknown else duration


def _tkhd(body: bytes, movie: Movie, track: Track) -> None:
    wide = body[0] == 1
    created, modified, track.id = struct.unpack_from(">QQI" if wide else ">III", body, 4)
    if created or modified:
        movie.private.add("creation_time")
    matrix = struct.unpack_from(">9i", body, 4 + (32 if wide else 20) + 16)
    a, b, c, d = (_sign(matrix[i]) for i in (0, 1, 3, 4))
    track.orientation = orientation_of(a, b, c, d)


def _sign(value: int) -> int:
    # 16.16 fixed point; anything but a full unit is a scale that quarter turns do not have, but
    # muxers round, and some write the scale of the sample aspect here.
    return (value > 0x4000) - (value < -0x4000)


def _mdhd(body: bytes, movie: Movie, track: Track) -> None:
    created, track.time_scale, track.duration = _header_times(body)
    if created:
        movie.private.add("creation_time")


def _hdlr(body: bytes, movie: Movie, track: Track) -> None:
    if track.handler:
        return  # the second hdlr, inside minf, belongs to the data reference (QuickTime)
    track.handler = name_of(body[8:12])
    name = body[24:]
    if name and name[0] == len(name) - 1:
        name = name[1:]  # QuickTime writes a Pascal string
    text = name.split(b"\0")[0].decode("utf-8", "replace").strip()
    track.handler_name = text
    if names_a_device(text):
        movie.private.add("handler_name")


def _elst(body: bytes, _movie: Movie, track: Track) -> None:
    wide = body[0] == 1
    count = struct.unpack_from(">I", body, 4)[0]
    layout = struct.Struct(">Qqi" if wide else ">Iii")
    available = (len(body) - 8) // layout.size
    for duration, media_time, rate in layout.iter_unpack(
        body[8 : 8 + min(count, available) * layout.size]
    ):
        track.edits.append(Edit(duration, media_time, rate / 65536))


def _pairs(body: bytes, *, signed: bool) -> RunTable:
    count = min(struct.unpack_from(">I", body, 4)[0], (len(body) - 8) // 8)
    numbers = array("i" if signed else "I", body[8 : 8 + count * 8])
    numbers.byteswap()
    return RunTable(numbers[::2], numbers[1::2])


def _stts(body: bytes, _movie: Movie, track: Track) -> None:
    track.deltas = _pairs(body, signed=False)


def _ctts(body: bytes, _movie: Movie, track: Track) -> None:
    # Version 0 should be unsigned, but QuickTime and many cameras store negative offsets in it.
    track.offsets = _pairs(body, signed=True)


def _stss(body: bytes, _movie: Movie, track: Track) -> None:
    count = min(struct.unpack_from(">I", body, 4)[0], (len(body) - 8) // 4)
    numbers = array("I", body[8 : 8 + count * 4])
    numbers.byteswap()
    track.sync = array("I", (number - 1 for number in numbers if number))


def _stsz(body: bytes, _movie: Movie, track: Track) -> None:
    track.uniform_size, track.samples = struct.unpack_from(">II", body, 4)
    if not track.uniform_size:
        numbers = array("I", body[12 : 12 + min(track.samples, (len(body) - 12) // 4) * 4])
        numbers.byteswap()
        track.sizes = numbers
        track.samples = len(numbers)


def _stz2(body: bytes, _movie: Movie, track: Track) -> None:
    bits, track.samples = body[7], struct.unpack_from(">I", body, 8)[0]
    packed = body[12:]
    if bits == 16:
        numbers = array("H", packed[: track.samples * 2])
        numbers.byteswap()
        track.sizes = array("I", numbers)
    elif bits == 8:
        track.sizes = array("I", packed[: track.samples])
    else:
        halves = (half for byte in packed for half in (byte >> 4, byte & 15))
        track.sizes = array(
            "I", (size for size, _ in zip(halves, range(track.samples), strict=False))
        )
    track.samples = len(track.sizes)


def _stsd(body: bytes, movie: Movie, track: Track) -> None:
    track.sample_entries = struct.unpack_from(">I", body, 4)[0]
    if track.sample_entries and len(body) >= 16:
        track.format = name_of(body[12:16])
        movie.encrypted |= body[12:16] in (b"encv", b"enca")
    for code in (b"dvcC", b"dvvC"):
        place = body.find(code)
        if 0 < place < len(body) - 9:
            track.dolby_vision = DolbyVision(body[place + 6] >> 1, body[place + 8] >> 4)
    # ISO/IEC 14496-12, 12.1.5; QuickTime writes nclc, the same without the range.
    for code in (b"colrnclx", b"colrnclc"):
        place = body.find(code)
        if 0 < place <= len(body) - 14:
            track.colour_points = struct.unpack_from(">HHH", body, place + 8)


_LEAVES = {
    b"tkhd": _tkhd,
    b"mdhd": _mdhd,
    b"hdlr": _hdlr,
    b"elst": _elst,
    b"stts": _stts,
    b"ctts": _ctts,
    b"stss": _stss,
    b"stsz": _stsz,
    b"stz2": _stz2,
    b"stsd": _stsd,
}
