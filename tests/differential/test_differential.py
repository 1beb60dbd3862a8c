"""Both engines carry out the same plans, and nobody can tell the results apart.

The corpus: ``make differential``.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from fixtures import reading
from fixtures.clips import make_clip
from fixtures.spec import ClipSpec, Container, Edit, Gop, Sound, Timing
from preprocess import ClipPlan, Fit, Intent, Short, parse_window, plan_file
from tests.animations import moving
from tests.differential.comparing import (
    FRAME_S,
    SSIM,
    compared,
    main,
    similarity,
    sound_differences,
)
from tests.engines.sound_clips import ffmpeg

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg"),
    pytest.mark.skipif(importlib.util.find_spec("ffmpeg") is None, reason="no ffmpeg-python"),
]

SMALL = ClipSpec(
    name="clip",
    frames=50,
    frame_rate=Fraction(25),
    width=426,
    height=240,
    gop=Gop(length=25, b_frames=2),
)
SECONDS = replace(SMALL, frames=25)


def made(spec: ClipSpec) -> Callable[[Path], Path]:
    return lambda folder: make_clip(spec, folder / spec.file_name)


def hdr(folder: Path) -> Path:
    picture = "testsrc2=s=426x240:r=25:d=2,format=yuv420p10le"
    tags = ("-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc")
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "libx265", "-x265-params", "log-level=0", *tags,
           folder / "hdr.mp4")  # fmt: skip
    return folder / "hdr.mp4"


def interlaced(folder: Path) -> Path:
    picture = "testsrc2=s=352x288:r=50:d=2.4,tinterlace=interleave_top,setfield=tff"
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "mpeg2video", "-q:v", "4",
           "-flags", "+ilme+ildct", "-top", "1", folder / "fields.ts")  # fmt: skip
    return folder / "fields.ts"


def irregular(count: int) -> set[int]:
    """A quarter of *count* numbers, in no order that repeats: more than one sum can hold."""
    return {n for n in range(1, count - 1) if n * n * 7919 % 1009 < 250}


def gif(folder: Path) -> Path:
    """Delays of 10 ms are shown for 100 ms: time stamps that only we know of."""
    return moving.animation(folder / "a.gif", "gif", 24, [10, 100] * 12)


def raw_dv(folder: Path) -> Path:
    picture, sound = "testsrc2=s=720x576:r=25:d=2.2", "sine=440:d=2.2:r=48000"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-ac", "2",
           "-target", "pal-dv", folder / "tape.dv")  # fmt: skip
    return folder / "tape.dv"


def packed(folder: Path) -> Path:
    """MPEG-4 as DivX and Xvid made it: B-frames in the packet of the picture before them."""
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=426x240:r=25:d=3", "-c:v", "libxvid", "-bf", "2",
           "-q:v", "3", folder / "packed.avi")  # fmt: skip
    return folder / "packed.avi"


def surround(folder: Path) -> Path:
    sound = (
        "sine=220:d=2.2[l];sine=330:d=2.2[r];[l][r]join=inputs=2,pan=5.1|c0=c0|c1=c1|c2=c0|c4=c1"
    )
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=426x240:r=25:d=2.2", "-filter_complex", f"{sound}[a]",
           "-map", "0:v", "-map", "[a]", "-c:v", "mpeg4", "-q:v", "3", "-c:a", "ac3",
           folder / "surround.mkv")  # fmt: skip
    return folder / "surround.mkv"


def ambisonic(folder: Path) -> Path:
    channels = "sin(2000*t)/4|sin(3000*t)/4|sin(4000*t)/4|sin(5000*t)/4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=426x240:r=25:d=2.2", "-f", "lavfi", "-i",
           f"aevalsrc={channels}:c='ambisonic 1':d=2.2", "-c:v", "mpeg4", "-q:v", "3",
           "-c:a", "libopus", "-mapping_family", "2", folder / "ambisonic.mkv")  # fmt: skip
    return folder / "ambisonic.mkv"


MAKERS: dict[str, tuple[Callable[[Path], Path], Intent]] = {
    "turned": (made(replace(SMALL, rotation=90, container=Container.MOV)), Intent()),
    "variable": (made(replace(SMALL, timing=Timing(dropped=frozenset({3, 4, 20, 21})))), Intent()),
    "uneven": (
        made(replace(SMALL, frames=600, timing=Timing(dropped=frozenset(irregular(600))))),
        Intent(),
    ),
    "thinned": (made(replace(SMALL, frames=240, frame_rate=Fraction(120))), Intent()),
    "middle": (
        made(replace(SMALL, frames=170, gop=Gop(length=60, b_frames=2))),
        Intent(window=parse_window("4.2..6.4")),
    ),
    "transport stream": (
        made(replace(SMALL, container=Container.MPEGTS, sound=Sound(codec="ac3"))),
        Intent(),
    ),
    "late sound": (made(replace(SMALL, sound=Sound(start_s=Fraction(3, 5)))), Intent()),
    "edited": (
        made(
            replace(
                SMALL, frames=75, edits=(Edit(from_s=Fraction(3, 10), duration_s=Fraction(5, 2)),)
            )
        ),
        Intent(),
    ),
    "matroska": (
        made(
            replace(
                SMALL, container=Container.MATROSKA, sound=Sound(codec="flac", sample_rate=44_100)
            )
        ),
        Intent(ratio="1:1", fit=Fit.BLUR),
    ),
    "repeated clip": (made(SECONDS), Intent(short=Short.LOOP)),
    "interlaced": (interlaced, Intent()),
    "hdr": (hdr, Intent()),
    "gif": (gif, Intent()),
    "surround": (surround, Intent()),
    "ambisonic": (ambisonic, Intent()),
    "raw dv": (raw_dv, Intent()),
    "packed": (packed, Intent()),
}


@pytest.mark.parametrize("name", MAKERS)
def test_results_are_the_same(name: str, tmp_path: Path) -> None:
    make, intent = MAKERS[name]
    found = compared(make(tmp_path), intent, tmp_path)

    assert (found.verdict, found.differences) == ("same", ())
    assert found.ssim is not None
    assert found.ssim >= SSIM
    assert abs(found.lag_s or 0) <= FRAME_S


def test_the_cases_copy_sound_and_encode_it(tmp_path: Path) -> None:
    """Both ways of a command are among the cases."""
    actions = set()
    for name in ("turned", "late sound", "gif"):
        make, intent = MAKERS[name]
        plan = plan_file(make(tmp_path), intent=intent)
        assert isinstance(plan, ClipPlan)
        actions.add(plan.audio.action.value)

    assert actions == {"copy", "encode", "drop"}


def test_a_difference_is_seen(tmp_path: Path) -> None:
    """The measure notices a picture that is one step late."""
    one = make_clip(SMALL, tmp_path / "one.mp4")
    late = replace(SMALL, frames=51)
    other = make_clip(late, tmp_path / "two.mp4")
    ffmpeg("-i", other, "-vf", "trim=start_frame=1,setpts=PTS-STARTPTS", tmp_path / "late.mp4")

    assert similarity(one, one) == 1
    assert similarity(one, tmp_path / "late.mp4") < SSIM


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("anull", None),
        ("volume=0.8", "left: -1.9 dB"),
        ("pan=stereo|c0=c1|c1=c0", "left: correlation"),
        ("pan=stereo|c0=c0|c1=0*c1", "right: silent in one"),
        ("asetrate=48480,aresample=48000,apad=whole_len=96000", "left: correlation"),
        ("adelay=25:all=1,atrim=end=2", "s apart"),
        ("atrim=end=1.5", "sound of 2.0"),
    ],
)
def test_a_difference_is_heard(change: str, said: str | None, tmp_path: Path) -> None:
    left, right = (f"anoisesrc=d=2:a=0.2:r=48000:seed={seed}" for seed in (7, 8))
    sound = f"{left}[l];{right}[r];[l][r]join"
    picture = ("-f", "lavfi", "-i", "color=s=128x128:r=25:d=2", "-f", "lavfi", "-i", sound)
    coder = ("-c:a", "aac", "-b:a", "192k")
    ffmpeg(*picture, *coder, tmp_path / "one.mp4")
    ffmpeg(*picture, "-af", change, *coder, tmp_path / "two.mp4")

    _, found = sound_differences(tmp_path / "one.mp4", tmp_path / "two.mp4")

    assert any(said in text for text in found) if said else found == []


def test_the_summary_counts_what_happened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no-clip.mp4").write_bytes(b"%PDF-1.7")
    monkeypatch.setattr("sys.argv", ["comparing", str(tmp_path)])

    main()

    assert capsys.readouterr().out.split() == ["2", "no", "clip,", "or", "rejected"]
