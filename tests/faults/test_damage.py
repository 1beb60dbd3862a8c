"""Files cut off, bent or built to hurt: told as such, or prepared without a wrong picture."""

from __future__ import annotations

import os
import random
import struct
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from fixtures.boxes import children, dict_of, pack, top_level
from fixtures.spec import ClipSpec, Container, Timing
from preprocess import ClipPlan, Intent, Options, Status, Target, VerifyLevel, probe_file
from tests.faults.support import (
    ENCODE,
    GOP,
    KEEP,
    KEEP_LAST,
    REWRAP,
    STREAM,
    assert_rejected,
    nothing_left,
    only_new,
    process,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.support import Door, Outcome

    Copy = Callable[..., Path]

DEADLINE_S = 30
FRAGMENTED = ClipSpec(name="fragments", frames=90, gop=GOP, container=Container.FRAGMENTED)
VP9 = replace(KEEP, name="vp9", container=Container.WEBM, codec="libvpx-vp9", sound=None)
TENTHS = range(1, 10)


def bounded(source: Path, **how: object) -> Outcome:
    """What becomes of a hostile file; what takes too long is a bug."""
    return process(source, options=Options(deadline_s=DEADLINE_S, threads=1), **how)


def check_typed(outcome: Outcome) -> None:
    """Whatever it was, it ended in one of the ways there are, and only time or memory is ours."""
    if outcome.status is Status.REJECTED:
        assert_rejected(outcome, outcome.code or "")
    elif outcome.status is Status.FAILED:
        assert outcome.code in {"deadline", "memory_limit"}, outcome
        assert "allowed" in outcome.message
    else:
        assert outcome.report is not None
        assert outcome.report.output is not None
        assert all(check.ok for check in outcome.report.checks)


# --- cut off ---------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [KEEP, KEEP_LAST], ids=["index-first", "index-last"])
def test_an_mp4_that_ends_too_early_is_truncated(spec: ClipSpec, clip: Copy, folder: Path) -> None:
    source = clip(spec)
    content = source.read_bytes()
    boxes = {name: (at, size) for name, at, size in top_level(source)}
    index_at, index_size = boxes["moov"]
    lengths = [len(content) * n // 10 for n in TENTHS]
    lengths += [len(content) - 1, index_at + 8, index_at + index_size // 2]
    for length in lengths:
        source.write_bytes(content[:length])
        with nothing_left(folder):
            outcome = process(source)
        said = "of the window"
        if length < index_at:
            said = "media data without an index"
        elif length < index_at + index_size:
            said = f"the index ends {index_at + index_size - length} bytes after the file"
        assert_rejected(outcome, "input.truncated", said, "download or copy the file again")


def test_truncation_is_told_at_every_door(door: Door, clip: Copy, folder: Path) -> None:
    source = clip(KEEP)
    os.truncate(source, source.stat().st_size * 7 // 10)
    with nothing_left(folder):
        outcome = door(source)
    assert_rejected(outcome, "input.truncated", "of 72 pictures", "all of them")
    assert 0 < int(outcome.reasons[0].value or 0) < 72


def check_no_wrong_picture(outcome: Outcome, hashes: list[str]) -> None:
    """A result holds the source's first pictures, all it promises, each of them whole."""
    assert outcome.report is not None
    assert isinstance(outcome.report.plan, ClipPlan)
    assert outcome.report.output is not None
    frames = outcome.report.plan.expected.frames
    assert reading.frame_hashes(outcome.report.output) == hashes[:frames]


@pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")
@pytest.mark.parametrize("spec", [REWRAP, STREAM, FRAGMENTED], ids=lambda spec: spec.name)
def test_what_is_left_of_a_file_without_an_index_is_whole(
    spec: ClipSpec, made: Callable[[ClipSpec], Path], clip: Copy, folder: Path
) -> None:
    """Cut at odd places: prepared with whole pictures only, or rejected."""
    hashes = reading.frame_hashes(made(spec))
    source = clip(spec, f"cut{spec.container.suffix}")
    content = source.read_bytes()
    prepared = 0
    for tenth in (1, 4, 7, 8.5, 9, 9.1, 9.3, 9.5, 9.7, 9.9):
        source.write_bytes(content[: int(len(content) * tenth / 10) - 77])
        names = ("cut.ready.mp4", "cut.ready.mp4.receipt.json")
        outcome = bounded(source, target=Target(output=folder / names[0]))
        check_typed(outcome)
        if outcome.status is Status.PREPARED:
            prepared += 1
            check_no_wrong_picture(outcome, hashes)
            for name in names:
                (folder / name).unlink()
        assert os.listdir(folder) == [source.name]  # noqa: PTH208 - names are enough
    assert prepared or spec is not REWRAP


def test_a_matroska_file_of_half_its_declared_length_is_truncated(clip: Copy, folder: Path) -> None:
    source = clip(replace(REWRAP, name="five-s", frames=150))
    os.truncate(source, source.stat().st_size // 2)
    with nothing_left(folder):
        outcome = process(source)
    assert_rejected(outcome, "input.truncated", "download or copy the file again")


@pytest.mark.parametrize("container", [Container.MATROSKA, Container.WEBM])
def test_a_clock_that_starts_late_is_nothing_missing(
    container: Container, clip: Copy, folder: Path
) -> None:
    """A part of a live stream; FFmpeg then declares where the clock ends as the length."""
    late = Timing(start_s=Fraction(12))
    spec = replace(REWRAP if container is Container.MATROSKA else VP9, timing=late)
    outcome = bounded(clip(spec), target=Target(output=folder / "late.mp4"))

    assert outcome.status is Status.PREPARED
    assert reading.frame_numbers(folder / "late.mp4") == list(range(spec.frames))


def test_half_a_file_whose_clock_starts_late_is_truncated(clip: Copy, folder: Path) -> None:
    spec = replace(REWRAP, name="late", frames=150, timing=Timing(start_s=Fraction(12)))
    source = clip(spec)
    os.truncate(source, source.stat().st_size // 2)
    with nothing_left(folder):
        outcome = process(source)
    assert_rejected(outcome, "input.truncated", " s of 5.", "download or copy the file again")


# --- nothing in it ---------------------------------------------------------------------------

TABLES = {b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco"}
HOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}


def rebuilt(payload: bytes, change: Callable[[bytes, bytes], bytes]) -> bytes:
    """The boxes with `change(kind, payload)` in place of each payload that holds no boxes."""
    return b"".join(
        pack(kind, rebuilt(inner, change) if kind in HOLDERS else change(kind, inner))
        for kind, inner in children(payload)
    )


def sound_rebuilt(moov: bytes, change: Callable[[bytes, bytes], bytes]) -> bytes:
    """As `rebuilt`, in the sound track alone."""
    parts = []
    for kind, inner in children(moov):
        sound = kind == b"trak" and dict_of(dict_of(inner)[b"mdia"])[b"hdlr"][8:12] == b"soun"
        parts.append(pack(kind, rebuilt(inner, change) if sound else inner))
    return b"".join(parts)


def with_index(source: Path, change: Callable[[bytes], bytes]) -> None:
    """Replace the index of a file that has it last, so that no offset moves."""
    content = source.read_bytes()
    boxes = {name: (at, size) for name, at, size in top_level(source)}
    at, size = boxes["moov"]
    source.write_bytes(content[:at] + pack(b"moov", change(content[at + 8 : at + size])))


def test_an_index_without_samples_has_no_picture(door: Door, clip: Copy, folder: Path) -> None:
    def empty(kind: bytes, payload: bytes) -> bytes:
        if kind == b"stsz":
            return bytes(12)
        return bytes(8) if kind in TABLES else payload

    source = clip(KEEP_LAST)
    with_index(source, lambda moov: rebuilt(moov, empty))
    with nothing_left(folder):
        outcome = door(source)
    assert_rejected(outcome, "input.no_picture", "a picture track", "use a file that shows")


def test_a_matroska_file_without_pictures_has_none(clip: Copy, folder: Path) -> None:
    source = clip(REWRAP)
    os.truncate(source, source.read_bytes().index(b"\x1f\x43\xb6\x75"))  # the first Cluster
    with nothing_left(folder):
        outcome = process(source)
    assert outcome.code in {"input.no_picture", "input.corrupt"}
    assert_rejected(outcome, outcome.code or "")


# --- bent ------------------------------------------------------------------------------------


def test_a_kept_file_is_decoded_where_all_is_to_be_verified(clip: Copy, folder: Path) -> None:
    """Its index is right; its pictures are not."""
    source = clip(KEEP)
    boxes = {name: (at, size) for name, at, size in top_level(source)}
    at, size = boxes["mdat"]
    content = bytearray(source.read_bytes())
    middle = at + size // 2
    content[middle : at + size - 8] = bytes(at + size - 8 - middle)
    assert process(source).status is Status.UNCHANGED
    source.write_bytes(content)
    with nothing_left(folder):
        outcome = process(source, intent=Intent(verify=VerifyLevel.FULL))
    assert_rejected(outcome, "input.corrupt", "of 72 pictures can be decoded", "all of them")


def bend(content: bytes, first: int, end: int, seed: int) -> bytes:
    """A few bytes between *first* and *end* are not what they were."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    bent = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(first, end)
        if chance.random() < 0.5:
            bent[place] ^= 1 << chance.randrange(8)
        else:
            bent[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(bent)


# To be emptied when the tests marked as failing below no longer fail.
def try_bent(source: Path, first: int, end: int, seeds: range) -> list[str]:
    """Prepare each variant; what was wrong with what became of it."""
    content = source.read_bytes()
    output = source.with_name("bent.ready.mp4")
    wrong = []
    for seed in seeds:
        source.write_bytes(bend(content, first, end, seed))
        before = source.stat().st_mtime_ns
        try:
            outcome = bounded(source, target=Target(output=output))
        except Exception as error:  # noqa: BLE001 - all of them are told below
            wrong.append(f"seed {seed}: {error!r}")
            continue
        try:
            check_typed(outcome)
        except AssertionError:
            wrong.append(f"seed {seed}: {outcome}")
        if outcome.report is not None and outcome.report.output == output:
            output.unlink()
            output.with_name(f"{output.name}.receipt.json").unlink()
        if source.stat().st_mtime_ns != before or len(list(source.parent.iterdir())) != 1:
            wrong.append(f"seed {seed}: left behind {list(source.parent.iterdir())}")
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(100), range(100, 200), range(200, 300)], ids=str)
def test_a_bent_index_ends_in_a_typed_outcome(seeds: range, clip: Copy) -> None:
    source = clip(KEEP, "bent.mp4")
    boxes = {name: (at, size) for name, at, size in top_level(source)}
    at, size = boxes["moov"]
    assert try_bent(source, at, at + size, seeds) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "head"),
    [(REWRAP, 1200), (STREAM, 188 * 40), (FRAGMENTED, 4000)],
    ids=["matroska", "mpegts", "fragmented"],
)
def test_a_bent_head_ends_in_a_typed_outcome(spec: ClipSpec, head: int, clip: Copy) -> None:
    source = clip(replace(spec, name=f"{spec.name}-quiet", sound=None), f"bent{spec.name}")
    assert try_bent(source, 0, head, range(60)) == []


@pytest.mark.slow
@pytest.mark.parametrize("spec", [ENCODE, STREAM], ids=lambda spec: spec.name)
def test_bent_media_end_in_a_typed_outcome(spec: ClipSpec, clip: Copy) -> None:
    """Damage that only a decoder sees."""
    source = clip(spec, f"bent{spec.name}")
    end = source.stat().st_size
    assert try_bent(source, end // 4, end, range(6)) == []


# Found by bending: what it was that bent.


def test_a_truncated_movie_header_is_corrupt(clip: Copy, folder: Path) -> None:
    source = clip(KEEP_LAST)
    with_index(
        source,
        lambda moov: rebuilt(moov, lambda kind, inner: inner[:3] if kind == b"mvhd" else inner),
    )
    with nothing_left(folder):
        outcome = process(source)
    assert_rejected(outcome, "input.corrupt", "box mvhd is damaged")


def test_a_track_without_a_number_is_no_surprise(clip: Copy, folder: Path) -> None:
    source = clip(KEEP_LAST)
    content = source.read_bytes()
    source.write_bytes(content.replace(b"tkhd", b"tkhe"))
    with nothing_left(folder):
        outcome = process(source)
    assert outcome.status is Status.REJECTED
    check_typed(outcome)


@pytest.mark.parametrize(
    ("spec", "old", "new"),
    [(REWRAP, b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/AVC"), (FRAGMENTED, b"avc1", b"zzz1")],
    ids=["matroska", "fragmented"],
)
def test_a_codec_nobody_knows_is_undecodable(
    spec: ClipSpec, old: bytes, new: bytes, clip: Copy, folder: Path
) -> None:
    source = clip(spec)
    content = source.read_bytes()
    assert old in content
    source.write_bytes(content.replace(old, new))
    with nothing_left(folder):
        outcome = process(source)
    assert_rejected(outcome, "video.undecodable", "a codec that can be read", "export the clip")


def test_an_index_without_descriptions_says_what_it_measured(clip: Copy, folder: Path) -> None:
    source = clip(KEEP_LAST)
    source.write_bytes(source.read_bytes().replace(b"stsd", b"stsx", 1))
    with nothing_left(folder):
        outcome = process(source)
    assert_rejected(outcome, "video.undecodable", "a codec that can be read")


def test_sound_of_which_nothing_falls_into_the_window_is_left_out(clip: Copy, folder: Path) -> None:
    """Sound packets that last an hour each: one begins with the picture, and ends far too late."""

    def slow(kind: bytes, inner: bytes) -> bytes:
        if kind != b"stts":
            return inner
        return inner[:12] + struct.pack(">I", 48_000 * 3600) + inner[16:]

    source = clip(KEEP_LAST, "slow.mp4")
    with_index(source, lambda moov: sound_rebuilt(moov, slow))
    with only_new(folder, "slow.ready.mp4", "slow.ready.mp4.receipt.json"):
        outcome = bounded(source)
    assert outcome.status is Status.PREPARED, outcome


@pytest.mark.parametrize(("place", "byte"), [(13, 0x7F), (15, 0x80)])
def test_bent_vp9_is_corrupt(place: int, byte: int, clip: Copy, folder: Path) -> None:
    """The header of the first picture is wrong about its parts."""
    source = clip(VP9)
    content = bytearray(source.read_bytes())
    content[content.index(b"\x49\x83\x42") - 1 + place] = byte  # VP9 bitstream 0.6, 6.2
    source.write_bytes(content)
    with nothing_left(folder):
        outcome = bounded(source)
    assert_rejected(outcome, "input.corrupt", "export or download the file again")


# --- built to hurt ---------------------------------------------------------------------------


@pytest.mark.parametrize("copies", [17, 900])
def test_many_tracks_are_refused_before_they_are_opened(
    copies: int, clip: Copy, folder: Path
) -> None:
    def cloned(moov: bytes) -> bytes:
        trak = pack(b"trak", dict_of(moov)[b"trak"])
        return moov + trak * copies

    source = clip(KEEP_LAST)
    with_index(source, cloned)
    with nothing_left(folder):
        outcome = bounded(source)
    assert_rejected(outcome, "input.streams", f"{copies + 2} tracks", "at most 16")


@pytest.mark.parametrize(
    ("table", "value"), [("stts", 2**28), ("stsz", 2**28), ("ctts", 2**28), ("stco", 2**28)]
)
def test_tables_that_promise_millions_end_in_a_typed_outcome(
    table: str, value: int, clip: Copy, folder: Path
) -> None:
    at = 8 if table == "stsz" else 4

    def promise(kind: bytes, inner: bytes) -> bytes:
        if kind != table.encode():
            return inner
        return inner[:at] + struct.pack(">I", value) + inner[at + 4 :]

    source = clip(KEEP_LAST)
    with_index(source, lambda moov: rebuilt(moov, promise))
    outcome = bounded(source)
    check_typed(outcome)
    assert sorted(os.listdir(folder))[:1] == [source.name]  # noqa: PTH208 - names are enough


def test_a_run_of_billions_of_sound_packets_ends_in_a_typed_outcome(clip: Copy) -> None:
    """Packets of no length, as many as a table can count: none may be written down one by one."""

    def endless(kind: bytes, inner: bytes) -> bytes:
        if kind == b"stts":
            return struct.pack(">IIII", 0, 1, 2**32 - 1, 0)
        if kind == b"stsz":
            return struct.pack(">III", 0, 1, 2**32 - 1)
        return inner

    source = clip(KEEP_LAST)
    with_index(source, lambda moov: sound_rebuilt(moov, endless))
    outcome = bounded(source)
    check_typed(outcome)


@pytest.mark.parametrize(
    "head",
    [
        struct.pack(">I4s", 7, b"moov"),
        struct.pack(">I4sQ", 1, b"mdat", 2**62 + 1) + bytes(100),
        struct.pack(">I4sQ", 1, b"mdat", 9) + bytes(100),
        struct.pack(">I4s", 2**32 - 1, b"moov") + bytes(100),
        struct.pack(">I4s", 0, b"moov") + bytes(100),
        struct.pack(">I4s", 8, b"free") * 120_000,
    ],
    ids=["too-small", "huge", "smaller-than-its-head", "beyond", "to-the-end", "many"],
)
def test_boxes_that_lie_about_their_size_are_rejected(head: bytes, folder: Path) -> None:
    source = folder / "boxes.mp4"
    source.write_bytes(struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + head)
    with nothing_left(folder):
        outcome = bounded(source)
    assert outcome.code in {"input.corrupt", "input.truncated", "input.unsupported"}, outcome
    assert_rejected(outcome, outcome.code or "")


def test_a_terabyte_of_nothing_is_rejected_without_reading_it(folder: Path) -> None:
    source = folder / "sparse.mp4"
    source.write_bytes(struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0))
    os.truncate(source, 1 << 40)
    facts = probe_file(source)
    assert (facts.bytes_read or 0) < 1 << 16
    outcome = bounded(source)
    assert outcome.status is Status.REJECTED, outcome
    assert os.listdir(folder) == [source.name]  # noqa: PTH208 - names are enough


def test_a_codec_off_the_list_is_refused_before_its_decoder_opens(clip: Copy, folder: Path) -> None:
    spec = replace(KEEP, name="archive", container=Container.MATROSKA, codec="ffv1", frames=60)
    source = clip(spec)
    with nothing_left(folder):
        outcome = bounded(source)
    assert_rejected(outcome, "video.undecodable", "ffv1", "export the clip as H.264")


def test_a_header_that_hides_the_size_of_the_pictures_is_not_believed(clip: Copy) -> None:
    """The index says 64x64 of pictures that are 854x480."""

    def smaller(kind: bytes, inner: bytes) -> bytes:
        place = inner.find(b"avc1") if kind == b"stsd" else -1
        if place < 0:
            return inner
        return inner[: place + 28] + struct.pack(">HH", 64, 64) + inner[place + 32 :]

    source = clip(KEEP_LAST, "hidden.mp4")
    with_index(source, lambda moov: rebuilt(moov, smaller))
    outcome = bounded(source)
    check_typed(outcome)
    if outcome.report is not None and outcome.report.facts is not None:
        video = outcome.report.facts.video
        assert video is None or video.coded.width == KEEP.width


HOLE = ClipSpec(
    name="hole",
    frames=65_000,
    frame_rate=Fraction(1),
    sound=None,
    timing=Timing(dropped=frozenset(range(3, 64_990))),
)


@pytest.mark.parametrize("container", [Container.MP4, Container.MATROSKA])
def test_a_hole_of_hours_is_not_filled_with_pictures(
    container: Container, clip: Copy, folder: Path
) -> None:
    """Three pictures, eighteen hours of nothing, ten more: the hours are not written out."""
    source = clip(replace(HOLE, name=f"hole-{container}", container=container))
    outcome = bounded(source)
    check_typed(outcome)
    if outcome.status is Status.PREPARED:
        assert outcome.report is not None
        assert isinstance(outcome.report.plan, ClipPlan)
        assert outcome.report.plan.expected.frames <= 15 * 60
    else:
        assert os.listdir(folder) == [source.name]  # noqa: PTH208 - names are enough


SPOKEN_OVER = ClipSpec(
    name="spoken-over",
    frames=420,
    frame_rate=Fraction(30),
    timing=Timing(dropped=frozenset(range(60, 390))),
)
"""A screen that stands still for eleven seconds."""


@pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")
@pytest.mark.parametrize("container", [Container.MP4, Container.MATROSKA, Container.MPEGTS])
def test_a_picture_is_held_for_as_long_as_sound_runs_on(container: Container, clip: Copy) -> None:
    spec = replace(SPOKEN_OVER, name=f"spoken-over-{container}", container=container)
    report = process(clip(spec)).report
    assert report is not None
    assert report.output is not None, report.error
    numbers = reading.frame_numbers(report.output)
    assert numbers == [*range(60), *[59] * 330, *range(390, 420)]

    silent = clip(replace(spec, name=f"silent-{container}", sound=None))
    assert_rejected(process(silent), "video.gap", "no picture for 11.033 s")
