"""What is no clip, and what is no file: told for what it is, and nothing opened on its word."""

from __future__ import annotations

import os
import socket
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest

from preprocess import Kind, Status, Target
from tests.faults import support
from tests.faults.support import (
    DOORS,
    KEEP,
    REWRAP,
    Watch,
    assert_rejected,
    nothing_left,
    only_new,
    process,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.spec import ClipSpec
    from tests.faults.support import Door

HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n%s\n#EXT-X-ENDLIST\n"
DASH = b"""<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>%s
</BaseURL></Period></MPD>"""
SDP = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=video 50004 RTP/AVP 96\r\n"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"

# Content named .mp4, the rule that rejects it, and what it is said to be.
STRANGERS: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "input.empty", "0 bytes"),
    "text": (b"Dear video, please become a clip.\n", "input.unsupported", "text"),
    "ansi": (b"\x1b[2J\x1b[31mred\x1b[0m\n" * 20, "input.unsupported", "text"),
    "html": (b"<!DOCTYPE html><html><body>404</body></html>", "input.unsupported", "HTML page"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "input.unsupported", "PDF document"),
    "zip": (b"PK\x03\x04\x14\x00\x00\x00", "input.unsupported", "ZIP archive"),
    "program": (b"\x7fELF\x02\x01\x01\x00" + bytes(56), "input.unsupported", "program (ELF)"),
    "sdp": (SDP, "input.unsupported", "SDP session description"),
    "dash": (DASH % b"sibling.ts", "input.unsupported", "text"),
    "hls": (HLS % b"sibling.ts", "input.unsupported", "HLS playlist"),
    "hls-url": (HLS % b"URL", "input.unsupported", "HLS playlist"),
    "ffconcat": (
        b"ffconcat version 1.0\nfile 'sibling.ts'\n",
        "input.unsupported",
        "ffconcat script",
    ),
    "ffconcat-url": (
        b"ffconcat version 1.0\nfile URL\n",
        "input.unsupported",
        "ffconcat script",
    ),
    "concat": (b"file 'sibling.ts'\nfile 'sibling.ts'\n", "input.unsupported", "text"),
    "noise": (bytes(range(256)) * 16, "input.unsupported", "not recognised"),
    "zeros": (bytes(5000), "input.unsupported", "not recognised"),
    "photoshop": (b"8BPS\x00\x01" + bytes(20), "input.image", "Photoshop document"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "input.image", "SVG image"),
    "jpeg-2000": (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "input.image", "JPEG 2000 image"),
    "wav": (WAV, "input.audio_only", "WAV audio"),
    "flac": (b"fLaC\x00\x00\x00\x22" + bytes(40), "input.audio_only", "FLAC audio"),
}
KINDS = {
    "input.unsupported": Kind.OTHER,
    "input.empty": Kind.OTHER,
    "input.image": Kind.IMAGE,
    "input.audio_only": Kind.AUDIO,
}
HEAD_BYTES = 4096
"""As much as recognising a file may read of it."""


@pytest.mark.parametrize("name", STRANGERS)
def test_what_is_no_video_is_told_and_nothing_is_opened_on_its_word(
    name: str, door: Door, clip: Callable[..., Path], folder: Path
) -> None:
    content, rule, description = STRANGERS[name]
    sibling = clip(support.STREAM, "sibling.ts")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/s.ts".encode()
        source = folder / "upload.mp4"
        source.write_bytes(content.replace(b"URL", url))
        watch = Watch(sibling)
        with nothing_left(folder):
            watch.seen()
            outcome = door(source)
            assert watch.seen() == set()
        watch.close()
        with pytest.raises(BlockingIOError):
            server.accept()

    assert_rejected(outcome, rule, description)
    if outcome.report is not None:
        facts = outcome.report.facts
        assert facts is not None
        assert facts.kind is KINDS[rule]
        assert facts.size_bytes == source.stat().st_size
        assert facts.video is None
        assert (facts.bytes_read or 0) <= HEAD_BYTES
        assert outcome.report.plan is None
        assert outcome.report.output is None


@pytest.mark.parametrize("spec", [KEEP, REWRAP, support.STREAM], ids=lambda spec: spec.name)
def test_a_file_that_is_hardly_there_is_rejected(
    spec: ClipSpec, clip: Callable[..., Path], folder: Path
) -> None:
    content = clip(spec).read_bytes()
    source = folder / "short"
    for length in (1, 2, 3, 4, 7, 8, 9, 11, 12, 16, 24, 31, 32, 33, 47, 63, 64, 188):
        source.write_bytes(content[:length])
        with nothing_left(folder):
            outcome = process(source)
        assert outcome.status is Status.REJECTED, (length, outcome.message)
        assert_rejected(outcome, outcome.code or "")
        assert outcome.code in {
            *("input.unsupported", "input.corrupt", "input.truncated", "input.no_picture"),
        }


def test_sound_alone_is_no_video(door: Door, folder: Path) -> None:
    source = folder / "song.mp4"
    with av.open(os.fspath(source), "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=48_000)
        for number in range(100):
            frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts = 48_000, number * 1024
            frame.time_base = Fraction(1, 48_000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with nothing_left(folder):
        outcome = door(source)
    assert_rejected(outcome, "input.audio_only", "without a picture track")
    if outcome.report is not None:
        assert outcome.report.facts is not None
        assert outcome.report.facts.kind is Kind.AUDIO


# --- what is no file -------------------------------------------------------------------------


def _folder(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.fspath(path))
    server.close()


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere.mp4")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _link_to_folder(path: Path) -> None:
    path.symlink_to(".")


def _nothing(_path: Path) -> None:
    pass


NO_FILES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "folder": (_folder, "input.not_regular", "a folder"),
    "fifo": (_fifo, "input.not_regular", "a FIFO"),
    "socket": (_socket, "input.not_regular", "a socket"),
    "link-to-folder": (_link_to_folder, "input.not_regular", "a folder"),
    "dangling": (_dangling, "input.missing", "no such file"),
    "loop": (_loop, "input.missing", "links that lead nowhere"),
    "missing": (_nothing, "input.missing", "no such file"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_is_told(name: str, door: Door, folder: Path) -> None:
    """A FIFO without a writer would block whoever opens it the usual way."""
    make, rule, measured = NO_FILES[name]
    source = folder / "upload.mp4"
    make(source)
    with nothing_left(folder):
        outcome = door(source)
    assert_rejected(outcome, rule, measured, "a readable file")


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"])
def test_a_device_is_told(device: str, folder: Path) -> None:
    with nothing_left(folder):
        outcome = process(device, target=Target(directory=folder))
    # A terminal that this process does not have is not even opened.
    assert_rejected(outcome, "input.not_regular", "device")


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("clip\0.mp4", "a name that no file can have"),
        ("clip\ud800.mp4", "a name that no file can have"),
        ("n" * 256, "a name longer than the system allows"),
        ("keep.mp4/inside.mp4", "no such file"),
        ("no/such/folder.mp4", "no such file"),
        ("concat:keep.mp4|keep.mp4", "no such file"),
        ("subfile,,start,0,end,9000,,:keep.mp4", "no such file"),
        ("file:keep.mp4", "no such file"),
        ("pipe:0", "no such file"),
        ("fd:", "no such file"),
        ("data:video/mp4;base64,AAAAIGZ0eXA=", "no such file"),
        ("k*p.mp4", "no such file"),
        ("k%03dp.mp4", "no such file"),
    ],
)
def test_a_name_is_looked_up_to_the_letter(
    name: str,
    measured: str,
    clip: Callable[..., Path],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip(KEEP)
    monkeypatch.chdir(folder)
    for way in DOORS.values():
        with nothing_left(folder):
            assert_rejected(way(name), "input.missing", measured, "check the path")


@pytest.mark.parametrize("scheme", ["http", "https", "S3"])
def test_a_url_is_told_as_one(scheme: str, folder: Path) -> None:
    for way in DOORS.values():
        with nothing_left(folder):
            assert_rejected(
                way(f"{scheme}://127.0.0.1:9/keep.mp4"), "input.missing", "a URL", "download it"
            )


def test_an_empty_name_is_told_as_one(folder: Path) -> None:
    for way in DOORS.values():
        with nothing_left(folder):
            assert_rejected(
                way(""), "input.not_regular", "a folder, which an empty name stands for"
            )


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"YUV4MPEG2 W640 H360 F30:1\nFRAME\n", "Y4M"),
        (b"\0\0\0\1\x67\x64\0\x1f", "H.264 or H.265 video without a container"),
        (b"P6\n2 2\n255\n" + bytes(12), "a format that is not recognised"),
    ],
)
def test_a_format_that_is_not_taken_is_not_said_to_lack_a_picture(
    head: bytes, words: str, folder: Path
) -> None:
    source = folder / "clip"
    source.write_bytes(head)
    assert_rejected(process(source), "input.unsupported", words, "a file of one of these kinds")


LONGEST = "n" * (255 - len(".ready.mp4.receipt.json"))
NAMES = [
    'it\'s "quoted" `here`.mkv',
    "two\nlines.mkv",
    "-i.mkv",
    "--force",
    "@list.mkv",
    "clip%03d.mkv",
    "concat:clip.mkv",
    "concat:a|b.mkv",
    "http:clip.mkv",
    "file:clip.mkv",
    "subfile,,start,0,end,0,,:clip.mkv",
    "*?[a-z]{1..3}.mkv",
    "red\x1b[31m\u202ekvm.mkv",
    "~root.mkv",
    "clip.mkv ",
    "no ending",
    ".mkv",
    "\udcff\udcfe.mkv",
    f"{LONGEST}.mkv",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_taken_as_it_is(
    name: str, clip: Callable[..., Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an input, as an output beside it, and as the folder of an output; relative to here."""
    decoys = [clip(KEEP, decoy) for decoy in ("clip001.mkv", "clip.mkv")]
    clip(REWRAP, name)
    (folder / f"{name[:60]}.d").mkdir()
    monkeypatch.chdir(folder)
    watch = Watch(*decoys)
    stem = os.path.splitext(name)[0]  # noqa: PTH122 - a second opinion
    inside = f"{name[:60]}.d/{stem}.ready.mp4"
    beside = f"{stem}.ready.mp4"
    with only_new(folder, beside, f"{beside}.receipt.json", inside, f"{inside}.receipt.json"):
        watch.seen()
        results = [
            process(name),
            process(name, target=Target(directory=Path(inside).parent)),
        ]
        assert watch.seen() == set()
    watch.close()
    for outcome in results:
        assert outcome.status is Status.PREPARED, outcome.message
        support.check_receipt(outcome)


def test_a_link_is_followed_and_stays_a_link(clip: Callable[..., Path], folder: Path) -> None:
    real = clip(REWRAP, "real.mkv")
    link = folder / "link.mkv"
    link.symlink_to(real.name)
    with only_new(folder, "link.ready.mp4", "link.ready.mp4.receipt.json"):
        outcome = process(link)
    assert outcome.status is Status.PREPARED, outcome.message
    assert link.is_symlink()
