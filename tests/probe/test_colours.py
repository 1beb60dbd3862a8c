from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from preprocess.facts import Dynamic
from preprocess.probe.bmff import DolbyVision
from preprocess.probe.colours import Points, Seen, beside, settle

if TYPE_CHECKING:
    import av

NOTHING = (2, 2, 2)
HLG, PQ, SDR = (9, 18, 9), (9, 16, 9), (1, 1, 1)
HDR10 = Seen(hdr10=True)
RPU = Seen(dolby_vision=True)


@pytest.mark.parametrize(
    ("bitstream", "container", "dolby", "seen", "dynamic"),
    [
        (SDR, None, None, Seen(), Dynamic.SDR),
        (NOTHING, None, None, Seen(), Dynamic.SDR),
        (PQ, SDR, None, Seen(), Dynamic.PQ),
        (SDR, PQ, None, Seen(), Dynamic.SDR),
        (NOTHING, HLG, None, Seen(), Dynamic.HLG),
        (NOTHING, None, None, HDR10, Dynamic.PQ),
        (SDR, None, None, HDR10, Dynamic.SDR),
        (NOTHING, HLG, None, HDR10, Dynamic.HLG),
        (HLG, None, DolbyVision(8, 4), RPU, Dynamic.HLG),
        (NOTHING, None, DolbyVision(8, 4), RPU, Dynamic.HLG),
        (PQ, None, DolbyVision(8, 4), RPU, Dynamic.PQ),
        (NOTHING, None, DolbyVision(8, 1), HDR10, Dynamic.PQ),
        (NOTHING, None, DolbyVision(9, 2), RPU, Dynamic.SDR),
        (NOTHING, None, DolbyVision(5, 0), RPU, Dynamic.DOLBY_VISION),
        (PQ, PQ, DolbyVision(5, 0), RPU, Dynamic.DOLBY_VISION),
        (PQ, None, None, RPU, Dynamic.PQ),
        (NOTHING, None, None, RPU, Dynamic.DOLBY_VISION),
    ],
)
def test_the_range_is_settled_by_who_knows(
    bitstream: Points,
    container: Points | None,
    dolby: DolbyVision | None,
    seen: Seen,
    dynamic: Dynamic,
) -> None:
    assert settle(bitstream, container, dolby, seen).dynamic is dynamic


def test_each_field_is_settled_by_itself() -> None:
    found = settle((2, 18, 2), (9, 1, 9), None, Seen())

    assert (found.primaries, found.transfer, found.matrix) == ("bt2020", "arib-std-b67", "bt2020nc")


def test_numbers_nobody_has_defined_say_nothing() -> None:
    found = settle((200, 3, 99), None, None, Seen())

    assert (found.primaries, found.transfer, found.matrix) == (None, None, None)


def test_metadata_that_pyav_has_no_name_for_do_no_harm() -> None:
    class Spatial:
        @property
        def side_data(self) -> object:
            msg = "31 is not a valid Type"
            raise ValueError(msg)

    assert beside(cast("av.VideoFrame", Spatial())) == Seen()
