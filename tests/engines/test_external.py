"""An ffmpeg program as the second engine: what it makes, and every way in which it can fail."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from fixtures import reading
from fixtures.clips import make_clip
from fixtures.spec import ClipSpec, Container, Gop, Tags
from preprocess import (
    Encoder,
    Engine,
    FailureCode,
    Intent,
    Options,
    PreparationFailed,
    Report,
    Short,
    Status,
    Target,
    ladder,
    parse_window,
    plan_command,
    process_file,
    second_engine,
)
from preprocess.worker.client import shutdown
from tests.animations import moving
from tests.engines.sound_clips import joined, wave_file
from tests.engines.test_sound_damage import bent, check_damaged
from tests.faults.support import nothing_left

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg"),
    pytest.mark.skipif(importlib.util.find_spec("ffmpeg") is None, reason="no ffmpeg-python"),
]

SPEC = ClipSpec(
    name="clip",
    frames=60,
    width=426,
    height=240,
    rotation=90,
    gop=Gop(length=30, b_frames=2),
    tags=Tags(container=(("location", "+48.1372+011.5755/"),)),
)
BY_PROGRAM = Options(engine=Engine.FFMPEG, threads=1)
FFMPEG = shutil.which("ffmpeg") or "ffmpeg"
BASH = shutil.which("bash")
"""Debian's sh does not know `$''` yet."""
WORK = "-progress"
"""What only the work itself is asked for, in the words of a shell's pattern."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(SPEC, tmp_path_factory.mktemp("clips") / "clip.mov")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "out"
    path.mkdir()
    return path


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """An ffmpeg that behaves until it is to work; *script* is what it does then."""

    def make(script: str) -> Path:
        path = tmp_path / "ffmpeg"
        path.write_text(f'#!/bin/sh\ncase "$*" in *{WORK}*) {script};; esac\nexec {FFMPEG} "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv(second_engine.VARIABLE, str(path))
        return path

    return make


def made(source: Path, folder: Path, options: Options = BY_PROGRAM, **intent: object) -> Report:
    return process_file(
        source,
        intent=Intent(**intent),  # type: ignore[arg-type]
        target=Target(directory=folder),
        options=options,
    )


def failed(source: Path, folder: Path, options: Options = BY_PROGRAM) -> tuple[str, str, str]:
    """Code, message and detail of a failure that left nothing behind."""
    with nothing_left(folder):
        report = made(source, folder, options)
    assert report.status is Status.FAILED, report.output
    assert report.error is not None
    return report.error.code, report.error.message, report.error.detail or ""


# --- what it makes -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    report = made(clip, tmp_path_factory.mktemp("results"))
    assert report.error is None, report.error
    return report


def test_every_picture_is_there_upright(result: Report) -> None:
    assert result.output is not None
    assert reading.frame_numbers(result.output) == list(range(60))
    video = reading.stream_facts(result.output)["streams"][0]
    assert not any("rotation" in data for data in video.get("side_data_list", []))


def test_the_receipt_holds_the_command_and_who_carried_it_out(result: Report) -> None:
    assert result.receipt is not None
    engine = json.loads(result.receipt.read_text())["engine"]
    version = subprocess.run([FFMPEG, "-version"], check=True, capture_output=True, text=True)

    assert engine["name"] == "ffmpeg"
    assert engine["binary"] == FFMPEG
    assert engine["binary_version"] == version.stdout.split()[2]
    assert engine["encoder"] == "libx264"
    assert {"libx264", "aac"} <= set(engine["binary_encoders"])
    assert "-xerror" in engine["command"]


def test_no_name_of_the_input_reaches_the_program(result: Report, clip: Path) -> None:
    assert result.receipt is not None
    command = json.loads(result.receipt.read_text())["engine"]["command"]

    assert not any(str(clip) in word or clip.name in word for word in command)
    named = command[command.index("-i") + 1]
    assert named == "fd:" or named.startswith("file:/proc/self/fd/")


def test_copied_sound_is_compared_packet_by_packet(result: Report) -> None:
    assert {check.name for check in result.checks} >= {"sound_identical", "decodes", "accepted"}


def test_what_the_built_in_engine_makes_names_no_program(clip: Path, folder: Path) -> None:
    report = made(clip, folder, Options(threads=1))

    assert report.engine is None


def test_the_command_for_a_shell_makes_the_same_clip(clip: Path, folder: Path) -> None:
    """With a name that a shell would take apart."""
    source, output = folder / "it's; a $(clip).mov", folder / "ready now.mp4"
    shutil.copyfile(clip, source)
    command = plan_command(source, output, options=BY_PROGRAM)
    assert command is not None
    assert not output.exists()
    subprocess.run(command, shell=True, check=True, capture_output=True)  # noqa: S602 - the point

    assert reading.frame_numbers(output) == list(range(60))


def test_the_command_for_colours_brings_its_table(folder: Path) -> None:
    source = folder / "hdr.mp4"
    tags = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"]
    picture = "testsrc2=s=426x240:r=24:d=2,format=yuv420p10le"
    subprocess.run(
        [FFMPEG, "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "libx265", *tags, source],
        check=True,
        capture_output=True,
    )
    command = plan_command(source, folder / "sdr.mp4", options=BY_PROGRAM)
    assert command is not None
    maker, encoder = command.splitlines()
    assert shlex.split(maker)[1:] == [
        *("-m", "preprocess.tonemap", "bt2020", "smpte2084", ">", "colours.cube")
    ]
    subprocess.run(maker, shell=True, check=True, cwd=folder)  # noqa: S602 - as above
    subprocess.run(encoder, shell=True, check=True, cwd=folder, capture_output=True)  # noqa: S602

    assert (folder / "colours.cube").read_text().startswith("LUT_3D_SIZE")
    assert len(reading.frame_hashes(folder / "sdr.mp4")) == 48


def test_a_name_that_a_terminal_cannot_show_is_pasted_all_the_same(
    clip: Path, folder: Path
) -> None:
    source = folder / os.fsdecode(b"it's \xff\x1b[31m.mov")
    shutil.copyfile(clip, source)
    command = plan_command(source, folder / "x.mp4", options=BY_PROGRAM)
    assert command is not None
    assert command.isascii()
    assert command.isprintable()
    subprocess.run(command, shell=True, check=True, executable=BASH, capture_output=True)  # noqa: S602

    assert reading.frame_numbers(folder / "x.mp4") == list(range(60))


def test_a_still_image_needs_no_program(tmp_path: Path) -> None:
    Image.new("RGB", (200, 150)).save(tmp_path / "still.png")

    assert plan_command(tmp_path / "still.png", tmp_path / "x.png", options=BY_PROGRAM) is None


def test_packets_are_copied_without_a_program(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip that only needs another container takes the same way by either engine."""
    monkeypatch.setenv(second_engine.VARIABLE, "/nowhere/ffmpeg")
    spec = replace(SPEC, width=854, height=480, rotation=0, container=Container.MATROSKA)
    report = made(make_clip(spec, tmp_path / "clip.mkv"), folder)

    assert report.error is None
    assert report.plan is not None
    assert report.plan.route.label == "rewrap"
    assert plan_command(tmp_path / "clip.mkv", folder / "x.mp4", options=BY_PROGRAM) is None


def test_progress_is_told(clip: Path, folder: Path) -> None:
    told: list[float] = []
    report = process_file(
        clip,
        target=Target(directory=folder),
        options=BY_PROGRAM,
        on_progress=lambda progress: told.append(progress.fraction),
    )

    assert report.error is None
    assert told == sorted(told[:1]) + told[1:]
    assert max(told) == 1


# --- the program ---------------------------------------------------------------------------------


def test_a_program_that_is_not_there(
    clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment names is taken or refused, never replaced by another."""
    monkeypatch.setenv(second_engine.VARIABLE, "/nowhere/ffmpeg")

    code, message, _ = failed(clip, folder)
    assert code == "binary_missing"
    assert message == (
        "/nowhere/ffmpeg cannot be used as ffmpeg: No such file or directory. "
        "Have CLIPREADY_FFMPEG name a program, or unset it. Use --engine av."
    )


def test_no_program_anywhere(clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(second_engine.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(
        second_engine, "find_spec", lambda name: None if name == "imageio_ffmpeg" else name
    )

    code, message, _ = failed(clip, folder)
    assert code == "binary_missing"
    for word in (second_engine.VARIABLE, "the path", "imageio-ffmpeg", "--engine av"):
        assert word in message


def test_imageio_brings_a_program_where_there_is_none(
    clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imageio = pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setenv("PATH", str(folder))
    report = made(clip, folder)

    assert report.error is None, report.error
    assert report.engine is not None
    assert report.engine.binary.path == imageio.get_ffmpeg_exe()


def test_the_extra_is_not_installed(
    clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_engine, "find_spec", lambda _name: None)

    code, message, _ = failed(clip, folder)
    assert code == "binary_missing"
    assert "pip install 'clipready[ffmpeg]'" in message


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("/bin/true", "/bin/true is no ffmpeg: it says ''"),
        ("/bin/false", "/bin/false cannot be asked what it is: it exited with code 1"),
        ("/etc/passwd", "/etc/passwd cannot be started: Permission denied"),
    ],
)
def test_a_program_that_is_no_ffmpeg(
    program: str, said: str, clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.path.realpath(program) != program and "coreutils" in os.path.realpath(program):
        pytest.skip("one program with many names")
    monkeypatch.setenv(second_engine.VARIABLE, program)

    code, message, _ = failed(clip, folder)
    assert (code, message) == ("binary_unfit", said)


def test_a_folder_is_no_program(
    clip: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(second_engine.VARIABLE, str(tmp_path))

    code, message, _ = failed(clip, folder)
    assert code == "binary_missing"
    assert f"{tmp_path} cannot be used as ffmpeg: it is a folder. Have" in message


def test_a_program_that_lacks_its_interpreter(
    clip: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text("#!/nowhere/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv(second_engine.VARIABLE, str(script))

    code, message, _ = failed(clip, folder)
    assert code == "binary_unfit"
    assert "cannot be started: what it needs to start, a loader or an interpreter" in message


def test_a_program_that_does_not_say_what_it_is(
    clip: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setenv(second_engine.VARIABLE, str(script))

    code, message, detail = failed(clip, folder, replace(BY_PROGRAM, deadline_s=2))
    assert code == "deadline"
    assert message.endswith(
        f"{script} was asked what it is, and did not say so in time. Use --engine av."
    )
    assert f"{script} -version" in detail


def test_another_package_with_the_same_module(
    clip: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyPI's ffmpeg and python-ffmpeg are imported by the name of ffmpeg-python, too."""
    (tmp_path / "ffmpeg").mkdir()
    (tmp_path / "ffmpeg" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "ffmpeg"]:
        monkeypatch.delitem(sys.modules, name)

    code, message, _ = failed(clip, folder)
    assert code == "binary_missing"
    shutdown()  # it would import that one, too
    assert "is of another package than ffmpeg-python" in message
    assert str(tmp_path) in message


def test_an_old_program(
    clip: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "ffmpeg"
    old.write_text(
        "#!/bin/sh\necho 'ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright'\n"
        "echo 'libavformat    58. 76.100 / 58. 76.100'\n"
    )
    old.chmod(0o755)
    monkeypatch.setenv(second_engine.VARIABLE, str(old))

    code, message, _ = failed(clip, folder)
    assert code == "binary_unfit"
    assert f"{old} (4.4.2-0ubuntu0.22.04.1) is not enough: it is older than FFmpeg 5.1" in message
    assert "Use --engine av." in message


def test_an_encoder_that_does_not_work_here(clip: Path, folder: Path) -> None:
    """Compiled in or not: the first is found out by trying, the second by asking."""
    encoders = subprocess.run([FFMPEG, "-encoders"], check=True, capture_output=True, text=True)
    if Path("/dev/nvidia0").exists():
        pytest.skip("it may work here")
    options = replace(BY_PROGRAM, encoder=Encoder.NVENC)

    code, message, detail = failed(clip, folder, options)
    assert "h264_nvenc" in message
    if "h264_nvenc" in encoders.stdout:
        assert code == "encoder_unusable"
        assert "cannot be used: " in message
        assert "another --encoder" in message
        assert "-c:v h264_nvenc" in detail
    else:
        assert code == "binary_unfit"


def test_another_encoder_makes_a_clip(
    clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only other one that needs no hardware, from imageio-ffmpeg."""
    imageio = pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setenv(second_engine.VARIABLE, imageio.get_ffmpeg_exe())
    report = made(clip, folder, replace(BY_PROGRAM, encoder=Encoder.OPENH264))

    assert report.error is None, report.error
    assert report.output is not None
    assert reading.frame_numbers(report.output) == list(range(60))


def test_an_encoder_belongs_to_the_program() -> None:
    with pytest.raises(ValueError, match="h264_qsv is one of the engine ffmpeg"):
        Options(encoder=Encoder.QSV)


# --- the process ---------------------------------------------------------------------------------


def test_a_program_that_is_killed(clip: Path, folder: Path, fake: Callable[[str], Path]) -> None:
    program = fake("kill -9 $$")

    code, message, detail = failed(clip, folder)
    assert code == "binary_failed"
    assert message == (
        f"{program} did not finish: killed by SIGKILL, as when the system runs out of memory. "
        "Use --engine av."
    )
    assert detail.startswith(shlex.quote(str(program)))
    assert "-filter_complex" in detail


def test_the_last_words_of_a_program_are_told(
    clip: Path, folder: Path, fake: Callable[[str], Path]
) -> None:
    """However much it has to say; and no terminal obeys them."""
    fake(r"head -c 3000000 /dev/zero | tr '\0' x >&2; printf '\n\033[31mlast words\n' >&2; exit 7")

    code, message, detail = failed(clip, folder)
    assert code == "binary_failed"
    assert message.endswith(r"it exited with code 7: \x1b[31mlast words. Use --engine av.")
    assert detail.endswith(r"\x1b[31mlast words")
    assert len(detail) < 12_000


def test_a_program_that_hangs_is_ended_by_the_deadline(
    clip: Path, folder: Path, tmp_path: Path, fake: Callable[[str], Path]
) -> None:
    fake(f"echo $$ > {tmp_path}/pid; echo I sleep >&2; exec sleep 60")
    begun = time.monotonic()

    code, _, detail = failed(clip, folder, replace(BY_PROGRAM, deadline_s=3))
    assert code == "deadline"
    assert "-filter_complex" in detail
    assert detail.endswith("I sleep")
    assert time.monotonic() - begun < 10
    pid = int((tmp_path / "pid").read_text())
    _wait_until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    """A zombie waits only for whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def _wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_program_gets_no_keys(
    clip: Path,
    folder: Path,
    tmp_path: Path,
    fake: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMPIRIOLABS_API_KEY", "secret")
    monkeypatch.setenv("LIBVA_DRIVER_NAME", "iHD")
    shutdown()  # what runs already has the environment of then
    fake(f"env > {tmp_path}/environment; ulimit -a > {tmp_path}/limits; exit 1")
    failed(clip, folder)
    names = {line.split("=")[0] for line in (tmp_path / "environment").read_text().splitlines()}

    ours = {"LC_ALL", "MALLOC_ARENA_MAX", "LD_LIBRARY_PATH", "TMPDIR", "LIBVA_DRIVER_NAME"}
    assert names <= {*ours, "PWD", "OLDPWD", "_", "SHLVL"}
    assert "LIBVA_DRIVER_NAME" in names


def test_a_program_has_the_limits_of_the_worker(
    clip: Path, folder: Path, tmp_path: Path, fake: Callable[[str], Path]
) -> None:
    fake(f"cat /proc/$$/limits > {tmp_path}/limits; exit 1")
    failed(clip, folder)
    soft = {
        line[:26].strip(): line[26:].split()[0]
        for line in (tmp_path / "limits").read_text().splitlines()[1:]
    }

    assert (soft["Max core file size"], soft["Max open files"]) == ("0", "64")
    for kind in ("Max cpu time", "Max file size", "Max address space"):
        assert int(soft[kind]) > 0


def test_the_first_of_a_few_words_is_the_cause(
    clip: Path, folder: Path, fake: Callable[[str], Path]
) -> None:
    fake("echo '[out#0/mp4 @ 0x55] the cause.' >&2; echo 'Conversion failed!' >&2; exit 1")

    _, message, _ = failed(clip, folder)
    assert "it exited with code 1: the cause. Use" in message


_DONE = f'{FFMPEG} "$@"; for word; do case $word in file:*) result=${{word#file:}};; esac; done'
"""The work as it should be, for a script that then goes on."""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "ended without an error, and took 0 of the 60 pictures"),
        (f'{FFMPEG} -t 1 "$@"; exit 0', "took 30 of the 60 pictures"),
        ("echo frame=abc; echo 'frame:1 pts:'; echo 'frame= 12 fps=3'; exit 0", "took 0 of"),
        (f"{_DONE}; rm $result; exit 0", "what it wrote is no MP4."),
        (f"{_DONE}; echo no > $result; exit 0", "what it wrote is no MP4."),
    ],
    ids=["nothing", "half", "noise", "removed", "no clip"],
)
def test_a_program_is_to_blame_for_what_it_does_not_do(
    script: str, said: str, clip: Path, folder: Path, fake: Callable[[str], Path]
) -> None:
    """An end without an error is a hint. The file is fine, as our own decoders find."""
    program = fake(script)

    code, message, detail = failed(clip, folder)
    assert code == "binary_failed"
    assert message.startswith(f"{program} ")
    assert said in message
    assert "-filter_complex" in detail


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("av_interleaved_write_frame(): No space left on device", "disk_full"),
        ("x264 [error]: malloc of size 4000000 failed", "memory_limit"),
        ("Error while filtering: Cannot allocate memory", "memory_limit"),
        ("boo", "binary_failed"),
    ],
)
def test_a_limit_is_told_as_one(
    words: str, code: str, clip: Path, folder: Path, fake: Callable[[str], Path]
) -> None:
    fake(f"echo '{words}' >&2; exit 1")

    found, _, detail = failed(clip, folder)
    assert found == code
    assert words in detail


def test_cpu_time_that_is_used_up_is_told_as_that(
    clip: Path, folder: Path, fake: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program may take the signal for a wish to end, as ffmpeg does."""
    fake("trap 'exit 255' XCPU; while :; do :; done")
    budget = ladder._execute_budget
    monkeypatch.setattr(ladder, "_execute_budget", lambda *a: replace(budget(*a), cpu_s=1))
    shutdown()  # the limit counts from what the worker has used up

    code, message, _ = failed(clip, folder)
    assert code == "deadline"
    assert "was stopped because it had used up its CPU time" in message


def test_a_child_that_a_program_leaves_behind_keeps_nobody_waiting(
    clip: Path, folder: Path, fake: Callable[[str], Path]
) -> None:
    fake(f'sleep 50 & {FFMPEG} "$@"; exit $?')
    begun = time.monotonic()
    report = made(clip, folder)

    assert report.error is None, report.error
    assert time.monotonic() - begun < 25


def test_a_damaged_source_is_to_blame_itself(folder: Path) -> None:
    """Both engines refuse it, for the same reason."""
    broken = make_clip(replace(SPEC, sound=None), folder / "broken.mov")
    data = bytearray(broken.read_bytes())
    begin = data.index(b"mdat") - 4
    length = int.from_bytes(data[begin : begin + 4], "big")
    for n in range(begin + length // 4, begin + length, 97):
        data[n] ^= 0xFF
    broken.write_bytes(data)
    with nothing_left(folder):
        ends = [made(broken, folder, options).error for options in (BY_PROGRAM, Options(threads=1))]

    assert [end.code if end else None for end in ends] == ["input.corrupt"] * 2


def test_damaged_sound_is_told_as_sound(folder: Path, tmp_path: Path) -> None:
    """A program would fill with silence, or break off; what is there, our decoders have counted."""
    source = bent(joined(tmp_path / "half.mov", [wave_file(tmp_path)], "-c:a", "ac3"), 0.5)
    with nothing_left(folder):
        report = made(source, folder, ratio="1:1")

    check_damaged(report)


# --- what is not for it --------------------------------------------------------------------------


def test_pictures_that_pillow_decodes_are_not_for_a_program(folder: Path) -> None:
    source = moving.animation(folder / "a.webp", "webp", 24, 100)
    with nothing_left(folder):
        report = made(source, folder, short=Short.LOOP)

    assert report.error is not None
    assert report.error.code == "binary_unfit"
    assert "decoded by Pillow" in report.error.message
    assert "--engine av" in report.error.message
    with pytest.raises(PreparationFailed) as refused:
        plan_command(source, folder / "x.mp4", options=BY_PROGRAM)
    assert refused.value.code is FailureCode.BINARY_UNFIT


def test_a_gif_is_counted_from_its_beginning(folder: Path) -> None:
    """Its delays of 10 ms are 100 ms to browsers and to us, and stay 10 ms to a program."""
    source = moving.animation(folder / "a.gif", "gif", 60, [10, 50] * 30)
    window = parse_window("1..4")
    numbers = []
    for options in (BY_PROGRAM, Options(threads=1, force=True)):
        report = made(source, folder, options, window=window)
        assert report.error is None, report.error
        assert report.output is not None
        numbers.append(reading.frame_numbers(report.output))

    assert numbers[0] == numbers[1]
    assert (numbers[0][0] or 0) > 0
