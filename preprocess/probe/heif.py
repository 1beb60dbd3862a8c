"""HEIF and AVIF: the primary item's size, turn and colours, and what is told beside it.

Layout: ISO/IEC 14496-12:2022, 8.11 (items), 12.1.5 (colr); ISO/IEC 23008-12:2022, 6.5 (properties).
The libraries read the whole file to tell as much, and AVIF's not which colours are stated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from preprocess.geometry import Orientation, Size
from preprocess.probe.boxes import BoxError, Reader, children, top_level
from preprocess.probe.header import Header, exif_in
from preprocess.probe.survey import Survey, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_PICTURE_BOXES = {b"ftyp", b"meta", b"mdat", b"moov"}
_MAX_META_BYTES = 4 << 20
_MAX_BESIDE_BYTES = 4 << 20
_CONFIGURATIONS = {b"hvcC", b"av1C"}
_IN_FILE, _IN_BOX = 0, 1
"""Construction methods of ``iloc``; what is inside other items is not looked for."""
_MAX_DERIVED = 8
"""Steps from a grid or an overlay to a coded picture."""
_NOTHING = memoryview(b"")
_OPTIONAL = {b"iref", b"iinf", b"idat"}
_BESIDE = {b"thmb": "thumbnail", b"auxl": "embedded_images"}
"""Links to the primary item, and what they tell of."""
_ALPHA_URNS = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    b"urn:mpeg:hevc:2015:auxid:1",
    b"urn:mpeg:avc:2015:auxid:1",
)
# Quarter turns against the clock, and then a mirror: 0 top to bottom, 1 left to right.
_TURNS = {
    (0, None): Orientation.NORMAL,
    (1, None): Orientation.COUNTERCLOCKWISE,
    (2, None): Orientation.HALF_TURN,
    (3, None): Orientation.CLOCKWISE,
    (0, 0): Orientation.UPSIDE_DOWN_MIRRORED,
    (0, 1): Orientation.MIRRORED,
    (1, 0): Orientation.MIRRORED_CLOCKWISE,
    (1, 1): Orientation.MIRRORED_COUNTERCLOCKWISE,
    (2, 0): Orientation.MIRRORED,
    (2, 1): Orientation.UPSIDE_DOWN_MIRRORED,
    (3, 0): Orientation.MIRRORED_COUNTERCLOCKWISE,
    (3, 1): Orientation.MIRRORED_CLOCKWISE,
}


def survey_heif(fd: int, size: int) -> Survey:
    """What libheif will give: it turns and cuts as the boxes say.

    Raises:
        ValueError, BoxError: they do not describe a picture.
    """
    missing, items, _ = _opened(fd, size)
    if items is None:
        return Survey(missing=missing)
    picture = items.primary_picture()
    return Survey(
        code_points=picture.code_points,
        header=items.header(picture, picture.displayed, Orientation.NORMAL),
    )


def survey_avif(fd: int, size: int) -> Survey:
    """What Pillow will give, which leaves the turn to us.

    The pictures of a sequence stand elsewhere: Pillow is asked what they are.

    Raises:
        ValueError, BoxError: they do not describe a picture.
    """
    missing, items, sequence = _opened(fd, size)
    if items is None:
        return Survey(missing=missing)
    picture = items.primary_picture()
    header = items.header(picture, picture.stored, picture.orientation)
    return Survey(code_points=picture.code_points, header=None if sequence else header)


def _opened(fd: int, size: int) -> tuple[str | None, _Items | None, bool]:
    """What is missing, or the items; and whether there are tracks, which need no items."""
    reader, end, meta, sequence = Reader(fd, size), 0, b"", False
    try:
        for kind, offset, header, claimed in top_level(reader):
            end = claimed if kind in _PICTURE_BOXES else end
            sequence = sequence or kind == b"moov"
            if kind == b"meta" and not meta:
                length = min(claimed - offset - header, _MAX_META_BYTES)
                meta = reader.read(offset + header, length)
    except BoxError:
        if not meta:
            raise
        # Phones append what is no box at all.
    if end > size:
        return part_of(size, end), None, sequence
    items = None if sequence and not meta else _Items(memoryview(meta), reader)
    return None, items, sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The primary item by its properties."""

    stored: Size
    displayed: Size
    """Cut and turned."""
    orientation: Orientation
    bit_depth: int
    grey: bool
    profile: bytes | None
    code_points: tuple[int, int] | None


class _Items:
    """The items of the file's ``meta`` box."""

    def __init__(self, meta: memoryview, reader: Reader) -> None:
        self._reader = reader
        self._boxes = dict(children(meta, reader, 4))
        self._primary = _numbered(self._box(b"pitm"))
        self._kinds = dict(_kinds(self._box(b"iinf"), reader))
        self._links = list(_links(self._box(b"iref"), reader))
        groups = dict(children(self._box(b"iprp"), reader))
        self._properties = list(children(groups.get(b"ipco", _NOTHING), reader))
        self._owned = dict(_owned(groups.get(b"ipma", _NOTHING), reader))

    def _box(self, kind: bytes) -> memoryview:
        found = self._boxes.get(kind)
        if found is None and kind not in _OPTIONAL:
            msg = f"no {kind.decode()} box"
            raise ValueError(msg)
        return _NOTHING if found is None else found

    def primary_picture(self) -> _Picture:
        """The properties of the primary item, in their order."""
        found = self._of(self._primary)
        first: dict[bytes, memoryview] = {}
        for kind, body in found:
            first.setdefault(kind, body)
        if b"ispe" not in first:
            msg = "the primary picture has no size"
            raise ValueError(msg)
        sides = _Fields(first[b"ispe"], 4)
        stored = Size(sides.take(4), sides.take(4))
        coded = self._coded()
        grey, depth = _format(dict(coded))
        # A grid need not say what its tiles do.
        colours = [body for of in (found, coded) for kind, body in of if kind == b"colr"]
        return _Picture(
            stored=stored,
            displayed=_shown(stored, found),
            orientation=_orientation(first),
            bit_depth=depth,
            grey=grey,
            profile=next((bytes(body[4:]) for body in colours if _is_icc(body)), None),
            code_points=next((_points(body) for body in colours if _is_nclx(body)), None),
        )

    def header(self, picture: _Picture, size: Size, orientation: Orientation) -> Header:
        """What the decoder will give for *picture*."""
        alpha = self._alpha()
        mode = "L" if picture.grey else "RGB"
        told = [item for kind, item, to in self._links if kind == b"cdsc" and self._primary in to]
        exif = _tiff_of(self._content_of(told, b"Exif"))
        xmp = self._content_of(told, b"mime")
        beside = {"xmp"} if xmp else set()
        for kind, item, to in self._links:
            if self._primary in to and item != alpha:
                beside |= {_BESIDE[kind]} if kind in _BESIDE else set()
        return Header(
            size=size,
            mode=mode if alpha is None else "RGBA",
            bit_depth=picture.bit_depth,
            transparent=alpha is not None,
            animated=False,
            orientation=orientation,
            profile=picture.profile,
            exif=exif_in(exif, xmp),
            beside=frozenset(beside),
        )

    def _of(self, item: int) -> list[tuple[bytes, memoryview]]:
        """The properties of an item."""
        numbers, width = self._owned.get(item, (_NOTHING, 1))
        fields, mask = _Fields(numbers, 0), (1 << 8 * width - 1) - 1
        # The bit above says whether a reader has to know the property.
        indices = [fields.take(width) & mask for _ in range(len(numbers) // width)]
        return [self._properties[n - 1] for n in indices if 0 < n <= len(self._properties)]

    def _coded(self) -> list[tuple[bytes, memoryview]]:
        """The properties of the first coded picture that the primary item is made of."""
        item = self._primary
        for _ in range(_MAX_DERIVED):
            found = self._of(item)
            parts = next((to for kind, by, to in self._links if (kind, by) == (b"dimg", item)), ())
            if not parts or _CONFIGURATIONS & {kind for kind, _ in found}:
                return found
            item = parts[0]
        msg = "a picture that is made of itself"
        raise ValueError(msg)

    def _alpha(self) -> int | None:
        for kind, item, to in self._links:
            if kind == b"auxl" and self._primary in to:
                stated = bytes(dict(self._of(item)).get(b"auxC", _NOTHING)[4:])
                if stated.split(b"\0", 1)[0] in _ALPHA_URNS:
                    return item
        return None

    def _content_of(self, items: list[int], kind: bytes) -> bytes | None:
        """The content of the first of *items* that is of a *kind*."""
        item = next((item for item in items if self._kinds.get(item) == kind), None)
        if item is None:
            return None
        method, parts = _places(self._box(b"iloc"), self._reader, item)
        if method not in (_IN_FILE, _IN_BOX):
            return None
        if sum(length for _, length in parts) > _MAX_BESIDE_BYTES:
            msg = "too many bytes beside the picture"
            raise ValueError(msg)
        held = self._boxes.get(b"idat", _NOTHING)
        pieces = [
            bytes(held[at : at + length]) if method == _IN_BOX else self._reader.read(at, length)
            for at, length in parts
        ]
        return b"".join(pieces) or None


def _shown(size: Size, properties: list[tuple[bytes, memoryview]]) -> Size:
    """*size* as the properties cut and turn it, in their order."""
    for kind, body in properties:
        if kind == b"irot" and body[0] & 1:
            size = Size(size.height, size.width)
        elif kind == b"clap":
            fields = _Fields(body, 0)
            width, of_width, height, of_height = (fields.take(4) for _ in range(4))
            if not of_width or not of_height:
                msg = "a clean aperture of no size"
                raise ValueError(msg)
            size = Size(round(width / of_width), round(height / of_height))
    return size


def _orientation(properties: dict[bytes, memoryview]) -> Orientation:
    turn = _Fields(properties[b"irot"], 0).take(1) & 3 if b"irot" in properties else 0
    mirror = _Fields(properties[b"imir"], 0).take(1) & 1 if b"imir" in properties else None
    return _TURNS[turn, mirror]


def _format(properties: dict[bytes, memoryview]) -> tuple[bool, int]:
    """Whether a coded picture is grey, and its bits (14496-15, 8.3.3; AV1-ISOBMFF, 2.3)."""
    if b"hvcC" in properties:
        fields = _Fields(properties[b"hvcC"], 16)
        return not fields.take(1) & 3, (fields.take(1) & 7) + 8
    if b"av1C" in properties:
        flags = _Fields(properties[b"av1C"], 2).take(1)
        deep = 12 if flags & 0x20 else 10
        return bool(flags & 0x10), deep if flags & 0x40 else 8
    return False, 8


def _is_icc(body: memoryview) -> bool:
    return bytes(body[:4]) in (b"prof", b"rICC")


def _is_nclx(body: memoryview) -> bool:
    return bytes(body[:4]) == b"nclx"


def _points(body: memoryview) -> tuple[int, int]:
    fields = _Fields(body, 4)
    return fields.take(2), fields.take(2)


def _tiff_of(content: bytes | None) -> bytes | None:
    """EXIF behind the offset that HEIF puts before it (23008-12, A.2.1)."""
    if content is None:
        return None
    start = 4 + int.from_bytes(content[:4])
    return content[start:] if start + 4 < len(content) else content[4:] or None


def _numbered(body: memoryview) -> int:
    """The item that a ``pitm`` box names."""
    fields = _Fields(body, 0)
    return fields.take(4 if fields.take(4) >> 24 else 2)


def _kinds(body: memoryview, reader: Reader) -> Iterator[tuple[int, bytes]]:
    """Item and kind, by ``iinf``."""
    if not body:
        return
    for kind, entry in children(body, reader, 8 if body[0] else 6):
        if kind == b"infe" and entry[0] >= 2:
            end = 6 if entry[0] == 2 else 8
            yield int.from_bytes(entry[4:end]), bytes(entry[end + 2 : end + 6])


def _links(body: memoryview, reader: Reader) -> Iterator[tuple[bytes, int, tuple[int, ...]]]:
    """Kind, item and the items it refers to, by ``iref``."""
    if not body:
        return
    width = 4 if body[0] else 2
    for kind, entry in children(body, reader, 4):
        fields = _Fields(entry, 0)
        item = fields.take(width)
        yield kind, item, tuple(fields.take(width) for _ in range(fields.take(2)))


def _owned(body: memoryview, reader: Reader) -> Iterator[tuple[int, tuple[memoryview, int]]]:
    """Item, the numbers of its properties and the bytes of each, by ``ipma``."""
    if not body:
        return
    fields = _Fields(body, 0)
    head = fields.take(4)
    item_width, width = (4 if head >> 24 else 2), (2 if head & 1 else 1)
    for _ in range(fields.take(4)):
        reader.count_box()
        item = fields.take(item_width)
        yield item, (fields.part(fields.take(1) * width), width)


def _places(body: memoryview, reader: Reader, wanted: int) -> tuple[int, list[tuple[int, int]]]:
    """How an item is placed, and its extents, by ``iloc``; no extents if it is nowhere."""
    fields = _Fields(body, 0)
    version = fields.take(4) >> 24
    sizes = fields.take(2)
    offset_width, length_width, base_width = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_width = sizes & 15 if version else 0
    wide = 4 if version >= 2 else 2
    for _ in range(fields.take(wide)):
        reader.count_box()
        item = fields.take(wide)
        method = fields.take(2) & 15 if version else _IN_FILE
        fields.take(2)
        base = fields.take(base_width)
        count = fields.take(2)
        extents = _Fields(fields.part(count * (index_width + offset_width + length_width)), 0)
        if item == wanted:
            return method, [
                (base + extents.skip(index_width).take(offset_width), extents.take(length_width))
                for _ in range(count)
            ]
    return _IN_FILE, []


class _Fields:
    """Numbers one after another."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self._at = at

    def part(self, length: int) -> memoryview:
        """The next *length* bytes.

        Raises:
            ValueError: the box ends before.
        """
        start, end = self._at, self._at + length
        if end > len(self._data):
            msg = "a box that ends within a number"
            raise ValueError(msg)
        self._at = end
        return self._data[start:end]

    def take(self, width: int) -> int:
        """The next number of *width* bytes. Raises as `part` does."""
        return int.from_bytes(self.part(width))

    def skip(self, length: int) -> _Fields:
        """Leave out *length* bytes. Raises as `part` does."""
        self.part(length)
        return self
