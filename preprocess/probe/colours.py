"""Names of colour code points, for clips and images alike, and whose word holds."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from preprocess.facts import Dynamic

if TYPE_CHECKING:
    import av

    from preprocess.probe.bmff import DolbyVision

# ITU-T H.273 code points, under FFmpeg's names. 2 means unspecified.
PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film",
    9: "bt2020", 10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear",
    11: "iec61966-2-4", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12",
    16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m",
    8: "ycgco", 9: "bt2020nc", 10: "bt2020c", 14: "ictcp",
}  # fmt: skip
DYNAMICS = {"smpte2084": Dynamic.PQ, "arib-std-b67": Dynamic.HLG}

Points = tuple[int, int, int]
"""Primaries, transfer and matrix of ITU-T H.273."""
_UNSPECIFIED = 2
_BASE_LAYERS = {1: "smpte2084", 6: "smpte2084", 4: "arib-std-b67"}
"""What the picture of a Dolby Vision clip is without Dolby's additions, by compatibility."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What stands beside a decoded picture."""

    hdr10: bool = False
    dolby_vision: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The colours of a clip, after all who speak of them were heard."""

    primaries: str | None
    transfer: str | None
    matrix: str | None
    dynamic: Dynamic


def settle(
    bitstream: Points, container: Points | None, dolby: DolbyVision | None, seen: Seen
) -> Settled:
    """The bitstream's word holds, field by field; where it is silent, the container's.

    Phones write the bitstream, later tools the container (a ``colr`` box of BT.709 on HDR10).
    Without a transfer function, Dolby Vision and HDR10 metadata tell which one it is.
    """
    pairs = zip(bitstream, container or bitstream, strict=True)
    points = [outer if inner == _UNSPECIFIED else inner for inner, outer in pairs]
    transfer = TRANSFERS.get(points[1])
    unreadable = dolby is not None and dolby.compatibility == 0
    if transfer is None and dolby is not None:
        transfer = _BASE_LAYERS.get(dolby.compatibility)
    elif transfer is None and seen.dolby_vision:
        unreadable = True  # a base layer that others can show says what it is
    elif transfer is None and seen.hdr10:
        transfer = "smpte2084"
    return Settled(
        primaries=PRIMARIES.get(points[0]),
        transfer=transfer,
        matrix=MATRICES.get(points[2]),
        dynamic=Dynamic.DOLBY_VISION if unreadable else DYNAMICS.get(transfer or "", Dynamic.SDR),
    )


def beside(frame: av.VideoFrame) -> Seen:
    """The metadata that came with *frame*; nothing where PyAV knows no name for one of them.

    It raises ValueError then (18.1.0), as with the reference displays of spatial video.
    """
    with suppress(ValueError):
        names = {each.type.name for each in frame.side_data}  # type: ignore[attr-defined]
        return Seen(
            hdr10=not names.isdisjoint({"CONTENT_LIGHT_LEVEL", "MASTERING_DISPLAY_METADATA"}),
            dolby_vision="DOVI_RPU_BUFFER" in names,
        )
    return Seen()
