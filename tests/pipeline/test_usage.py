"""Calls that make no sense end with 2, say why on stderr, and touch nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.cli import needs_worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pipeline.conftest import Ran

    Run = Callable[..., Ran]

WRONG = (
    (["plan"], "FILE"),
    (["plan", "a", "b", "-o", "x.mp4"], "use -d DIR"),
    (["plan", "a", "-o", "x.mp4", "-d", "y"], "one of -o and -d"),
    (["plan", "a", "--ratio", "wide"], "16:9"),
    (["plan", "a", "--ratio", "0:1"], "16:9"),
    (["plan", "a", "--ratio", "[/x]"], "[/x]"),
    (["plan", "a", "--ratio", "\x1b[31m"], "\\x1b"),
    (["plan", "a", "--window", "5"], "START..END"),
    (["plan", "a", "--window", "3..2"], "ends at or before its start"),
    (["plan", "a", "--window", "1:99..x"], "not a time"),
    (["plan", "a", "--profile", "nope"], "seedance-2-0-mini"),
    (["plan", "a", "--profile", "nope.toml"], "cannot be read"),
    (["plan", "a", "--mode", "edit", "--role", "edit_video"], "one of --mode and --role"),
    (["plan", "a", "--mode", "i2v_both"], "two inputs"),
    (["plan", "a", "--mode", "remix"], "extend"),
    (["plan", "a", "--limits", "none"], "documented"),
    (["plan", "a", "--engine", "gstreamer"], "av"),
    (["plan", "a", "--engine", "ffmpeg", "--encoder", "mpeg4"], "h264_nvenc"),
    (["plan", "a", "--encoder", "libx264"], "add --engine ffmpeg"),
    (["plan", "a", "--threads", "0"], "threads"),
    (["plan", "a", "--deadline", "0"], "above 0"),
    (["plan", "a", "--deadline", "nan"], "above 0"),
    (["plan", "a", "--deadline", "soon"], "above 0"),
    (["plan", "a", "--no-such-option"], "--no-such-option"),
    (["transcode", "a"], "transcode"),
    (["profiles", "show", "nope"], "seedance-2-0-mini"),
    (["profiles", "show"], "NAME"),
)


@pytest.mark.parametrize(("words", "said"), WRONG, ids=lambda value: " ".join(value)[:40])
def test_a_call_that_makes_no_sense_ends_with_two(words: list[str], said: str, run: Run) -> None:
    done = run(*words)

    assert done.code == 2
    assert done.out == ""
    assert said in done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize("command", ["check", "plan", "normalize"])
def test_the_working_commands_take_the_same_options(command: str, run: Run) -> None:
    help_text = run("plan", "--help").out.partition("Options:")[2]

    assert run(command, "--help").out.partition("Options:")[2] == help_text


def test_a_profile_that_contradicts_itself_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    profile = tmp_path / "odd.toml"
    profile.write_text('name = "odd"\nname_of_nothing = 1\n')

    done = run("plan", "a", "--profile", profile)

    assert done.code == 2
    assert "odd.toml" in done.err
    assert "name_of_nothing" in done.err


def test_the_version_is_said_on_stdout(run: Run) -> None:
    done = run("--version")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("clipready ")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["normalize", "a.mp4"], True),
        (["probe", "--json", "a.mp4"], True),
        (["check", "--", "--help"], True),
        (["normalize", "--help"], False),
        (["plan", "-h"], False),
        (["normalize"], False),
        (["profiles", "show"], False),
        (["--version"], False),
        ([], False),
    ],
)
def test_a_worker_is_started_for_commands_that_look_at_files(
    words: list[str],
    wanted: bool,  # noqa: FBT001 - a table
) -> None:
    assert needs_worker(words) is wanted
