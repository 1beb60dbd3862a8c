"""``--engine ffmpeg``: the command that is shown, and what is told where there is none."""

from __future__ import annotations

import importlib.util
import shlex
from typing import TYPE_CHECKING

import pytest

from fixtures import reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pipeline.conftest import Ran

    Run = Callable[..., Ran]
    Put = Callable[..., Path]

pytestmark = [
    pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg"),
    pytest.mark.skipif(importlib.util.find_spec("ffmpeg") is None, reason="no ffmpeg-python"),
]
BY_PROGRAM = ("--engine", "ffmpeg")


def test_plan_ends_with_the_command_in_one_line(run: Run, put: Put) -> None:
    """However narrow the terminal: broken into lines it could not be pasted."""
    source = put("small.mp4", "it's.mp4")

    done = run("plan", *BY_PROGRAM, "-v", source)

    words = shlex.split(done.out.splitlines()[-1])
    assert words[0].endswith("ffmpeg")
    assert words[words.index("-i") + 1] == f"file:{source}"
    assert words[-1] == f"file:{source.parent}/it's.ready.mp4"
    assert done.code == 0


def test_the_command_is_for_those_who_ask(run: Run, put: Put) -> None:
    source = put("small.mp4")

    assert "-filter_complex" not in run("plan", *BY_PROGRAM, source).out
    assert "-filter_complex" not in run("plan", "-v", source).out
    [record] = run("plan", *BY_PROGRAM, "--json", source).final
    assert shlex.split(record["command"])[-1] == f"file:{source.with_name('small.ready.mp4')}"
    [record] = run("plan", "--json", source).final
    assert record["command"] is None


def test_a_file_that_needs_no_program_is_planned_without(
    run: Run, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPREADY_FFMPEG", "/nowhere/ffmpeg")

    done = run("plan", *BY_PROGRAM, "--json", put("rewrap.mkv"), put("small.mp4"))

    assert [record["error"] and record["error"]["code"] for record in done.final] == [
        None,
        "binary_missing",
    ]
    assert done.code == 1


def test_normalize_tells_what_is_missing(
    run: Run, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPREADY_FFMPEG", "/nowhere/ffmpeg")

    done = run("normalize", *BY_PROGRAM, put("small.mp4"))

    assert "/nowhere/ffmpeg cannot be used as ffmpeg" in " ".join(done.err.split())
    assert done.code == 1
