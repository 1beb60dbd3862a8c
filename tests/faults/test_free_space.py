"""Boxes that are free space by name: what a tool has struck out of a file is still in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures.boxes import pack, top_level
from preprocess import Options, Route, Status, probe_file, process_file
from tests.faults.support import KEEP_LAST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Copy = Callable[..., Path]

SECRET = b"+48.1372+011.5755/"
META = bytes(4) + pack(b"hdlr", bytes(4) + b"\0\0\0\0mdirappl" + bytes(9))


def lengthen_index(source: Path, box: bytes) -> None:
    """Put *box* at the end of the index, which is the end of the file."""
    content = source.read_bytes()
    (place,) = ((at, size) for name, at, size in top_level(source) if name == "moov")
    at, size = place
    source.write_bytes(content[:at] + pack(b"moov", content[at + 8 : at + size] + box))


PLACES: dict[str, Callable[[bytes], bytes]] = {
    "moov": lambda box: box,
    "udta": lambda box: pack(b"udta", box),
    "meta": lambda box: pack(b"udta", pack(b"meta", META + box)),
    "ilst": lambda box: pack(b"udta", pack(b"meta", META + pack(b"ilst", box))),
}


@pytest.mark.parametrize("kind", [b"free", b"skip", b"wide"])
def test_a_file_with_something_in_its_free_space_is_not_kept(kind: bytes, clip: Copy) -> None:
    source = clip(KEEP_LAST)
    with source.open("ab") as file:
        file.write(pack(kind, SECRET))

    report = process_file(source, options=Options(force=True))

    assert report.status is Status.PREPARED
    assert report.plan is not None
    assert report.plan.route is Route.REWRAP
    (reason,) = report.reasons
    assert reason.measured == f"box:{kind.decode()}"
    assert report.output is not None
    assert SECRET not in report.output.read_bytes()


@pytest.mark.parametrize("place", PLACES)
def test_free_space_is_found_wherever_it_is_in_the_index(place: str, clip: Copy) -> None:
    source = clip(KEEP_LAST)
    lengthen_index(source, PLACES[place](pack(b"free", SECRET)))
    assert probe_file(source).private_metadata == ("box:free",)


@pytest.mark.parametrize("place", PLACES)
def test_free_space_that_is_free_is_no_reason(place: str, clip: Copy) -> None:
    source = clip(KEEP_LAST)
    lengthen_index(source, PLACES[place](pack(b"free", bytes(4096))))
    with source.open("ab") as file:
        file.write(pack(b"free", bytes(4096)))
    assert process_file(source).status is Status.UNCHANGED


def test_more_free_space_than_is_looked_through_is_not_believed(clip: Copy) -> None:
    source = clip(KEEP_LAST)
    with source.open("ab") as file:
        file.write(pack(b"free", bytes(2 << 20) + SECRET))
    facts = probe_file(source)
    assert facts.private_metadata == ("box:free",)
    assert (facts.bytes_read or 0) < 1 << 20


@pytest.mark.parametrize("kind", [b"emsg", b"prft", b"PICT", b"pnot"])
def test_boxes_beside_the_clip_that_tell_something_are_told(kind: bytes, clip: Copy) -> None:
    source = clip(KEEP_LAST)
    with source.open("ab") as file:
        file.write(pack(kind, SECRET))
    assert probe_file(source).private_metadata == (f"box:{kind.decode()}",)
