"""Sound that is damaged, cut off, or changes on its way: all of it is counted, and told."""

from __future__ import annotations

import json
import random
import subprocess
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from preprocess import AudioChoice, Intent, Report, Status, VerifyLevel
from preprocess.plan import AudioAction
from tests.engines.sound_clips import (
    AAC,
    IN_STEP_S,
    attempted,
    ffmpeg,
    heard,
    joined,
    off_s,
    pictures,
    plan_of,
    prepared,
    rules,
    wave_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to make clips with")

AC3 = ("-c:a", "ac3")
SECOND_DEFAULT = ("-disposition:a:0", "0", "-disposition:a:1", "default")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage")


@pytest.fixture(scope="module")
def clip(folder: Path) -> Callable[..., Path]:
    """A function that makes a clip with a track of 48 kHz stereo, and one of 44.1 kHz mono."""

    def make(name: str, *how: str, tracks: int = 1) -> Path:
        sounds = [wave_file(folder), wave_file(folder, 44_100, 1)][:tracks]
        return joined(folder / name, sounds, *how)

    return make


def bent(
    source: Path, share: float, *, first: float = 0.3, track: int = 0, zeros: bool = False
) -> Path:
    """A copy in which *share* of the packets of a sound track are zeros, or noise."""
    entries = ("-show_entries", "packet=pos,size", "-of", "json")
    command = ["ffprobe", "-v", "error", "-select_streams", f"a:{track}", *entries, str(source)]
    told = subprocess.run(command, check=True, capture_output=True).stdout
    packets = [(int(row["pos"]), int(row["size"])) for row in json.loads(told)["packets"]]
    start = int(first * len(packets))
    content, chance = bytearray(source.read_bytes()), random.Random(track)  # noqa: S311
    for position, size in packets[start : start + max(1, round(share * len(packets)))]:
        content[position : position + size] = bytes(size) if zeros else chance.randbytes(size)
    target = source.with_name(f"bent-{source.name}")
    target.write_bytes(content)
    return target


def check_damaged(report: Report) -> None:
    assert report.status is Status.REJECTED
    (reason,) = report.reasons
    assert reason.rule == "input.corrupt"
    assert " of the sound can be decoded" in reason.measured
    assert 1.1 < float(reason.value or 0) < 1.3
    assert float(reason.limit_value or 0) == pytest.approx(2.4, abs=0.02)
    assert reason.unit == "s"
    assert "--audio drop" in (reason.fix or "")


@pytest.mark.parametrize("filling", ["zeros", "noise"])
@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "ac3", "alac"])
def test_half_a_sound_track_is_not_passed_off_as_a_whole_one(
    codec: str, filling: str, clip: Callable[..., Path]
) -> None:
    """Decoders say nothing, parsers drop what they do not know: only counting tells."""
    source = bent(clip(f"half-{codec}.mov", "-c:a", codec), 0.5, zeros=filling == "zeros")
    check_damaged(attempted(source))

    silent = prepared(source, Intent(audio=AudioChoice.DROP))
    assert plan_of(silent).audio.action is AudioAction.DROP


def test_one_lost_packet_of_copied_sound_becomes_silence_and_is_told(
    clip: Callable[..., Path],
) -> None:
    report = prepared(bent(clip("little.mov", *AAC), 0.001))
    assert report.output is not None

    assert plan_of(report).audio.action is AudioAction.ENCODE
    assert rules(report) == ["audio.uneven"]
    assert "cannot be decoded" in report.attempts[0].failed
    assert max(map(abs, off_s(report.output))) <= IN_STEP_S


def test_a_kept_file_with_damaged_sound_is_noticed_where_all_is_verified(
    clip: Callable[..., Path],
) -> None:
    source = clip("kept.mp4", *AAC)
    full = Intent(verify=VerifyLevel.FULL)
    assert attempted(source, full).status is Status.UNCHANGED
    check_damaged(attempted(bent(source, 0.5), full))


def test_sound_that_is_made_anew_is_decoded_again(clip: Callable[..., Path]) -> None:
    report = prepared(clip("anew.mov", *AC3))
    checks = {check.name: check for check in report.checks}

    assert checks["sound_decodes"].ok
    assert checks["sound_decodes"].measured == "2.389 s of 2.389 s"


# --- several tracks --------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["aac", "ac3"])
def test_a_track_that_turns_out_undecodable_makes_room_for_the_next(
    codec: str, clip: Callable[..., Path]
) -> None:
    """The list of decoders is a promise that only decoding keeps."""
    source = clip(f"two-{codec}.mov", "-c:a:0", codec, "-c:a:1", "aac", tracks=2)
    report = prepared(bent(source, 1, first=0))
    assert report.output is not None
    found = heard(report.output)

    assert (found.rate, found.channels) == (44_100, 1)
    assert max(map(abs, off_s(report.output))) <= IN_STEP_S
    (reason,) = (r for r in report.reasons if r.rule == "audio.undecodable")
    assert (reason.measured, reason.fix) == (f"track 1 ({codec})", "track 2 taken instead")
    assert "sound_lost" in report.attempts[0].failed


def test_sound_is_left_out_once_no_track_decodes(clip: Callable[..., Path]) -> None:
    source = clip("none.mov", *AAC, tracks=2)
    report = prepared(bent(bent(source, 1, first=0), 1, first=0, track=1))

    assert plan_of(report).audio.action is AudioAction.DROP
    assert rules(report) == ["audio.undecodable"]
    assert [attempt.failed.partition(":")[0] for attempt in report.attempts] == ["sound_lost"] * 2


def test_a_codec_nothing_here_reads_makes_room_for_the_next(clip: Callable[..., Path]) -> None:
    report = prepared(clip("tta.mkv", "-c:a:0", "tta", "-c:a:1", "aac", tracks=2))

    assert plan_of(report).audio.stream == 2
    assert not report.attempts
    (reason,) = (r for r in report.reasons if r.rule == "audio.undecodable")
    assert (reason.measured, reason.fix) == ("track 1 (tta)", "track 2 taken instead")


def test_the_track_that_says_it_is_the_default_is_taken(clip: Callable[..., Path]) -> None:
    report = prepared(clip("default.mkv", *AAC, *SECOND_DEFAULT, tracks=2))

    assert plan_of(report).audio.stream == 2
    assert rules(report) == []


# --- cut off ---------------------------------------------------------------------------------


def test_sound_that_is_short_is_no_sound_that_was_cut_off(folder: Path) -> None:
    short = wave_file(folder, length_s=Fraction(1))
    report = prepared(joined(folder / "short.mov", [short], *AAC))

    assert plan_of(report).audio.action is AudioAction.COPY
    assert rules(report) == []


def test_a_movie_that_lacks_only_sound_says_so(folder: Path, clip: Callable[..., Path]) -> None:
    """Its sound is stored behind its pictures, and half of it is missing."""
    source = clip("behind.mov", *AAC, "-max_interleave_delta", "0", "-movflags", "+faststart")
    cut = folder / "cut.mov"
    command = ["ffprobe", "-v", "error", "-show_entries", "packet=stream_index,pos", "-of", "json"]
    told = subprocess.run([*command, str(source)], check=True, capture_output=True).stdout
    rows = json.loads(told)["packets"]
    end_of_pictures = max(int(row["pos"]) for row in rows if row["stream_index"] == 0)
    last = [int(r["pos"]) for r in rows if r["stream_index"] and int(r["pos"]) > end_of_pictures]
    if len(last) < 2:
        pytest.skip("the muxer put no sound behind the last picture")
    cut.write_bytes(source.read_bytes()[: last[0]])
    report = attempted(cut)

    assert report.status is Status.REJECTED
    (reason,) = (r for r in report.reasons if "sound" in r.measured)
    assert reason.rule == "input.truncated"
    assert reason.measured.endswith("of the sound of the window is there")
    assert attempted(cut, Intent(audio=AudioChoice.DROP)).status is Status.PREPARED


@pytest.mark.parametrize("share", [0.6, 0.9])
def test_a_matroska_file_whose_sound_ends_before_it_says_is_truncated(
    share: float, folder: Path, clip: Callable[..., Path]
) -> None:
    content = clip("whole.mkv", *AAC).read_bytes()
    cut = folder / "cut.mkv"
    cut.write_bytes(content[: int(len(content) * share)])
    report = attempted(cut)

    assert report.status is Status.REJECTED
    assert report.reasons[0].rule == "input.truncated"
    if share == 0.9:  # the file as such is near enough to the length it says
        assert "of the sound are there" in report.reasons[0].measured


def test_a_long_last_packet_is_no_missing_sound(clip: Callable[..., Path]) -> None:
    """A track ends where its last packet ends, not where that begins."""
    report = prepared(clip("long-packets.mkv", "-c:a", "flac", "-frame_size", "32768"))
    assert report.output is not None

    assert max(map(abs, off_s(report.output))) < IN_STEP_S
    assert "audio.codec" in rules(report)


# --- changes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("codec", "rate"), [("aac", 48_000), ("ac3", 32_000)])
def test_a_stream_that_changes_its_sound_becomes_one_consistent_sound(
    codec: str, rate: int, folder: Path
) -> None:
    """Broadcasts go from stereo to mono, and files are joined from any parts."""
    parts = ((0, 1, 48_000, 2), (1, Fraction(7, 5), rate, 1))
    source = folder / f"changes-{codec}.ts"
    source.write_bytes(b"".join(_programme(folder, codec, *part) for part in parts))
    report = prepared(source)
    assert report.output is not None
    found = heard(report.output)

    assert (found.codec, found.rate, found.channels) == ("aac", 48_000, 2)
    assert ("audio.uneven" if codec == "aac" else "audio.codec") in rules(report)
    assert max(map(abs, off_s(report.output, [0.1, 0.9, 1.1, 1.5, 2.3]))) <= IN_STEP_S


def _programme(
    folder: Path, codec: str, start_s: int, length_s: Fraction, rate: int, channels: int
) -> bytes:
    # Encoders add a packet: without it, none of them overlaps the next programme.
    heard_s = length_s - Fraction(1024, 48_000)
    sound = wave_file(folder, rate, channels, start_s=Fraction(start_s), length_s=heard_s)
    part = folder / f"part-{start_s}.ts"
    cut = ("-ss", start_s, "-t", float(length_s), "-i", pictures(folder))
    stamps = ("-output_ts_offset", 1 + start_s, "-mpegts_flags", "initial_discontinuity")
    ffmpeg(*cut, "-i", sound, "-c:v", "copy", "-c:a", codec, *stamps, part)
    return part.read_bytes()
