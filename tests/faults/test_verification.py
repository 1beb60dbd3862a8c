"""Results that went wrong after they were written: found, told, and not handed out."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import av
import pytest

from fixtures import reading
from fixtures.boxes import top_level
from preprocess import Intent, Mode, Options, Status, VerifyLevel
from tests.faults.support import (
    DOORS,
    ENCODE,
    REWRAP,
    STREAM,
    assert_failed,
    assert_rejected,
    check_receipt,
    nothing_left,
    only_new,
    process,
    temporary_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.spec import ClipSpec
    from tests.faults.support import Calls

    Copy = Callable[..., Path]


ONE_THREAD = Options(threads=1)
"""With more, an encode that fails is done again."""


def flip_picture(path: Path) -> None:
    """One bit of the first picture."""
    flip(path, first_packet(path, "video") + 3000)


def flip_sound(path: Path) -> None:
    flip(path, first_packet(path, "audio") + 20)


def flip(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 0x10]))


def first_packet(path: Path, kind: str) -> int:
    with av.open(os.fspath(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        return next(p.pos or 0 for p in container.demux(streams) if p.size)


def wipe_end(path: Path) -> None:
    """The last pictures are zeros, as after a crash of the machine."""
    length = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(length * 3 // 4)
        file.write(bytes(length - length * 3 // 4))


def drop_last_picture(path: Path) -> None:
    copy_packets(path, lambda packets: packets.remove(last_picture(packets)))


def swap_two_pictures(path: Path) -> None:
    """One in the other's place and at the other's time."""

    def swap(packets: list[Any]) -> None:
        places = [n for n, packet in enumerate(packets) if packet.stream.type == "video"]
        one, other = places[10], places[11]
        first, second = packets[one], packets[other]
        packets[one], packets[other] = second, first
        first.pts, second.pts = second.pts, first.pts
        first.dts, second.dts = second.dts, first.dts

    copy_packets(path, swap)


def drop_sound(path: Path) -> None:
    copy_packets(
        path, lambda packets: packets.__delitem__(slice(None)), keep=lambda s: s.type == "video"
    )


def last_picture(packets: list[Any]) -> Any:  # noqa: ANN401
    return next(p for p in reversed(packets) if p.stream.type == "video")


def copy_packets(
    path: Path,
    change: Callable[[list[Any]], object],
    keep: Callable[[Any], bool] | None = None,
) -> None:
    """Write the file anew, in place, with other packets."""
    flags = "+faststart+negative_cts_offsets"
    with (
        TemporaryDirectory() as folder,
        av.open(os.fspath(path)) as source,
        av.open(f"{folder}/anew", "w", format="mp4", options={"movflags": flags}) as output,
    ):
        streams = [stream for stream in source.streams if keep is None or keep(stream)]
        targets = {s.index: output.add_stream_from_template(s) for s in streams}
        packets: list[Any] = [p for p in source.demux(streams) if p.size]
        if keep is None:
            change(packets)
        for packet in packets:
            packet.stream = targets[packet.stream.index]
            output.mux(packet)
        output.close()
        path.write_bytes((Path(folder) / "anew").read_bytes())


def claim_20_s(path: Path) -> None:
    """The movie header says twenty seconds."""
    content = bytearray(path.read_bytes())
    at = content.index(b"mvhd") + 4
    (scale,) = struct.unpack_from(">I", content, at + 12)
    struct.pack_into(">I", content, at + 16, 20 * scale)
    path.write_bytes(content)


def turn(path: Path) -> None:
    """The track header turns the picture by 90 degrees."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4
    struct.pack_into(">9i", content, at + 40, 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def move_index(path: Path) -> None:
    """The index comes last."""
    content = path.read_bytes()
    boxes = {name: (at, size) for name, at, size in top_level(path)}
    at, size = boxes["moov"]
    index = content[at : at + size]
    filler = struct.pack(">I4s", size, b"free") + bytes(size - 8)
    path.write_bytes(content[:at] + filler + content[at + size :] + index)


def append_location(path: Path) -> None:
    """Something about a person or a place behind the media."""
    with path.open("ab") as file:
        file.write(b"+48.1372+011.5755/ behind it all")


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 500)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def page(path: Path) -> None:
    path.write_bytes(b"<!DOCTYPE html><html></html>")


# What went wrong, and the check that finds it: in a copy, in an encode.
MISHAPS: dict[str, tuple[Callable[[Path], None], str, str | None]] = {
    "bit of a picture": (flip_picture, "pictures_identical", None),
    "bit of the sound": (flip_sound, "sound_identical", None),
    "end wiped": (wipe_end, "pictures_identical", "decodes"),
    "last picture lost": (drop_last_picture, "frames", "frames"),
    "pictures swapped": (swap_two_pictures, "pictures_identical", None),
    "sound lost": (drop_sound, "audio_codec", "audio_codec"),
    "header of 20 s": (claim_20_s, "duration", "duration"),
    "turned": (turn, "upright", "upright"),
    "index last": (move_index, "index", "index"),
    "location behind it": (append_location, "private_metadata", "private_metadata"),
    "cut short": (cut_short, "accepted: input.truncated", "accepted: input.truncated"),
    "empty": (empty, "readable", "readable"),
    "a page of HTML": (page, "readable", "readable"),
}


def spoil(
    calls: Calls, mishap: Callable[[Path], None], *, most: int = 99, encodes: bool = True
) -> None:
    """Let it happen after each execution, at most so often, perhaps to copies alone."""
    left = [None] * most

    def act(args: dict[str, Any], _answer: dict[str, Any]) -> None:
        if left and (encodes or args["request"]["plan"]["encoding"] is None):
            left.pop()
            mishap(temporary_of(args))

    calls.after["execute"] = act


@pytest.mark.parametrize("name", MISHAPS)
def test_a_copy_that_went_wrong_is_made_again_at_more_cost(
    name: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    mishap, check, _ = MISHAPS[name]
    source = clip(REWRAP)
    spoil(calls, mishap, most=1)
    with only_new(folder, "rewrap.ready.mp4", "rewrap.ready.mp4.receipt.json"):
        outcome = process(source)
    assert outcome.status is Status.PREPARED, outcome.message
    report = outcome.report
    assert report is not None
    assert report.plan is not None
    assert report.output is not None
    assert [attempt.route for attempt in report.attempts] == ["rewrap"]
    assert check in report.attempts[0].failed
    assert report.plan.route.label == "cut"
    assert all(found.ok for found in report.checks)
    (told,) = check_receipt(outcome)["attempts"]
    assert (told["route"], told["failed"]) == ("rewrap", report.attempts[0].failed)
    if reading.have_ffmpeg():
        assert reading.frame_hashes(report.output) == reading.frame_hashes(source)


@pytest.mark.parametrize("way", DOORS)
def test_copies_that_always_go_wrong_end_in_an_encode(
    way: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    source = clip(STREAM)
    spoil(calls, flip_picture, encodes=False)
    with only_new(folder, "stream.ready.mp4", "stream.ready.mp4.receipt.json"):
        outcome = DOORS[way](source)
    assert outcome.status is Status.PREPARED, outcome.message
    assert outcome.report is not None
    assert outcome.report.plan is not None
    assert outcome.report.output is not None
    assert [attempt.route for attempt in outcome.report.attempts] == ["rewrap", "cut"]
    assert outcome.report.plan.route.label == "encode"
    check_receipt(outcome)
    if reading.have_ffmpeg():
        assert reading.frame_numbers(outcome.report.output) == list(range(72))


@pytest.mark.parametrize("name", [name for name in MISHAPS if MISHAPS[name][2]])
def test_an_encode_that_went_wrong_is_no_result(
    name: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    mishap, _, check = MISHAPS[name]
    source = clip(ENCODE)
    spoil(calls, mishap)
    with nothing_left(folder):
        outcome = process(source, options=ONE_THREAD)
    assert_failed(outcome, "verification", "the result is not what was planned", check or "")
    assert outcome.report is not None
    assert [attempt.route for attempt in outcome.report.attempts] == ["encode"]
    assert (check or "") in outcome.report.attempts[0].failed


@pytest.mark.parametrize("way", DOORS)
def test_every_door_tells_of_a_failed_verification(
    way: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    source = clip(REWRAP)
    spoil(calls, cut_short)
    with nothing_left(folder):
        outcome = DOORS[way](source, options=ONE_THREAD)
    assert_failed(outcome, "verification", "the result is not what was planned", "accepted: ")
    if outcome.report is not None:
        routes = [attempt.route for attempt in outcome.report.attempts]
        assert routes == ["rewrap", "cut", "encode"]


@pytest.mark.parametrize("spec", [REWRAP, ENCODE], ids=lambda spec: spec.name)
def test_a_picture_in_the_middle_that_does_not_decode_is_found_by_full_verification(
    spec: ClipSpec, clip: Copy, folder: Path, calls: Calls
) -> None:
    def wipe_middle(path: Path) -> None:
        length = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(length // 2)
            file.write(bytes(length // 8))

    source = clip(spec)
    spoil(calls, wipe_middle)
    with nothing_left(folder):
        outcome = process(source, intent=Intent(mode=Mode.EDIT, verify=VerifyLevel.FULL))
    assert_failed(outcome, "verification", "decodes: ")


def test_a_result_over_the_cap_is_made_again_once(clip: Copy, folder: Path, calls: Calls) -> None:
    """At a lower rate, and then it is the input that does not fit."""
    source = clip(ENCODE)
    rates: list[int] = []
    calls.before["execute"] = lambda args: rates.append(
        args["request"]["plan"]["encoding"]["max_rate_bps"]
    )
    calls.after["verify"] = lambda _args, answer: answer["measured"]["facts"].update(
        size_bytes=60_000_000
    )
    with nothing_left(folder):
        outcome = process(source)
    assert_rejected(outcome, "file.byte_cap", "60.0 MB after a second pass", "<= 50 MB", "shorter")
    assert len(rates) == 2
    assert rates[1] < rates[0] * 50 / 60
    assert outcome.report is not None
    assert [attempt.route for attempt in outcome.report.attempts] == ["encode", "encode"]


@pytest.mark.parametrize(
    ("what", "check"),
    [
        (("decoded", 0), "decodes"),
        (("picture_digests", []), "pictures_identical"),
        (("sound_digests", ["0" * 24]), "sound_identical"),
    ],
)
def test_a_reading_that_differs_is_believed(
    what: tuple[str, object], check: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    """The reading of the result says otherwise than the writing: neither gets the benefit."""
    source = clip(REWRAP)
    said: list[object] = []

    def differ(_args: dict[str, Any], answer: dict[str, Any]) -> None:
        if not said:
            answer["measured"].update([what])
        said.append(what)

    calls.after["verify"] = differ
    with only_new(folder, "rewrap.ready.mp4", "rewrap.ready.mp4.receipt.json"):
        outcome = process(source)
    assert outcome.report is not None
    assert f"{check}: " in outcome.report.attempts[0].failed


@pytest.mark.parametrize("code", ["source_damaged", "plan_mismatch", "invalid_data"])
def test_an_engine_that_gives_up_falls_to_the_next_route(
    code: str, clip: Copy, folder: Path, calls: Calls
) -> None:
    from preprocess.worker.client import OperationError  # noqa: PLC0415 - nothing else needs it

    source = clip(REWRAP)

    def give_up(args: dict[str, Any]) -> None:
        if args["request"]["plan"]["encoding"] is None:
            raise OperationError(code, "picture 7 is not where it was")

    calls.before["execute"] = give_up
    with only_new(folder, "rewrap.ready.mp4", "rewrap.ready.mp4.receipt.json"):
        outcome = process(source)
    assert outcome.status is Status.PREPARED, outcome.message
    assert outcome.report is not None
    assert [a.route for a in outcome.report.attempts] == ["rewrap", "cut"]
    assert all(code in attempt.failed for attempt in outcome.report.attempts)


def test_an_engine_that_gives_up_on_an_encode_blames_the_input(
    clip: Copy, folder: Path, calls: Calls
) -> None:
    from preprocess.worker.client import OperationError  # noqa: PLC0415 - nothing else needs it

    source = clip(ENCODE)

    def give_up(_args: dict[str, Any]) -> None:
        code, details = "source_damaged", {"readable": 30, "expected": 36}
        raise OperationError(code, "30 of 36 pictures can be decoded", details)

    calls.before["execute"] = give_up
    with nothing_left(folder):
        outcome = process(source, options=Options(threads=2))
    assert outcome.report is not None
    assert [(a.route, a.threads) for a in outcome.report.attempts] == [("encode", 2), ("encode", 1)]
    assert_rejected(outcome, "input.corrupt", "30 of 36 pictures", "export or download")
    assert (outcome.reasons[0].value, outcome.reasons[0].limit_value) == (30, 36)


def test_an_encode_that_fails_with_threads_is_done_again_with_one(
    clip: Copy, folder: Path, calls: Calls
) -> None:
    from preprocess.worker.client import OperationError  # noqa: PLC0415 - nothing else needs it

    source = clip(ENCODE)

    def give_up(args: dict[str, Any]) -> None:
        if args["request"]["threads"] > 1:
            code = "source_damaged"
            raise OperationError(code, "29 of 36 pictures", {"readable": 29, "expected": 36})

    calls.before["execute"] = give_up
    with only_new(folder, "encode.ready.mp4", "encode.ready.mp4.receipt.json"):
        outcome = process(source, options=Options(threads=2))
    assert outcome.status is Status.PREPARED, outcome.message
    assert outcome.report is not None
    assert [(a.route, a.threads) for a in outcome.report.attempts] == [("encode", 2)]
    receipt = json.loads((folder / "encode.ready.mp4.receipt.json").read_bytes())
    assert receipt["attempts"][0]["threads"] == 2


def test_an_engine_that_breaks_is_ours_to_answer_for(
    clip: Copy, folder: Path, calls: Calls
) -> None:
    from preprocess.worker.client import OperationError  # noqa: PLC0415 - nothing else needs it

    source = clip(ENCODE)

    def fail(_args: dict[str, Any]) -> None:
        code, details = "internal", {"traceback": "line 7"}
        raise OperationError(code, "ZeroDivisionError: x", details)

    calls.before["execute"] = fail
    with nothing_left(folder):
        outcome = process(source)
    assert_failed(outcome, "engine", "execute broke off: ZeroDivisionError", "please report it")
    assert outcome.report is not None
    assert outcome.report.error is not None
    assert outcome.report.error.detail == "line 7"
