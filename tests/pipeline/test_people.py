"""What people see: within 80 columns, data on stdout, trouble on stderr."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from pipeline.terminal.console import console, show
from pipeline.terminal.text import bytes_text, clean, number_text, shorten, taken_text
from pipeline.terminal.views import results_view

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pipeline.conftest import Ran

    Run = Callable[..., Ran]
    Put = Callable[..., Path]

LONG = "a very long name that some camera made up 2024-05-17 at 11.30.00 (edited) final v3.mkv"


def test_the_table_has_input_status_route_result_fixes_and_time(run: Run, put: Put) -> None:
    put("rewrap.mkv")
    put("keep.mp4")

    done = run("normalize", "rewrap.mkv", "keep.mp4", "missing.mp4")

    lines = done.out.splitlines()
    assert lines[0].split()[:3] == ["status", "route", "time"]
    assert re.fullmatch(r"prepared +rewrap +[\d.]+ s +rewrap.mkv", lines[1])
    assert lines[2].strip() == "→ rewrap.ready.mp4"
    assert lines[3].strip() == "container: rewrapped as mp4"
    assert re.fullmatch(r"unchanged +keep +[\d.]+ s +keep.mp4", lines[4])
    assert re.fullmatch(r"rejected +- +[\d.]+ s +missing.mp4", lines[6])


def test_a_rejection_says_what_was_measured_allowed_and_what_to_do(run: Run, put: Put) -> None:
    done = run("normalize", put("short.mp4").name)

    said = " ".join(done.err.split())
    assert "short.mp4: rejected" in said
    assert "video.short 1 s; allowed: >= 2 s → use a longer clip, or --short hold or loop" in said


def test_a_plan_shows_route_reasons_result_and_price(run: Run, put: Put) -> None:
    text = " ".join(run("plan", put("rewrap.mkv")).out.split())

    assert "route rewrap: packets copied" in text
    assert "file.container: matroska; allowed: mp4 → rewrapped as mp4" in text
    assert "mp4, h264 854x480, 24 fps, 72 pictures, 3 s, sound aac, at most 50 MB" in text
    assert "480p: $0.167 a second; $0.50 for this clip's 3 s" in text
    assert "is not known" in text


def test_trouble_is_told_on_stderr_and_leaves_stdout_empty(run: Run) -> None:
    for command in ("probe", "check", "plan"):
        done = run(command, "missing.mp4")
        assert (done.code, done.out) == (3, "")
        assert "input.missing" in done.err


@pytest.mark.parametrize("command", ["probe", "check", "plan", "normalize"])
def test_nothing_is_wider_than_the_terminal(command: str, run: Run, put: Put) -> None:
    put("rewrap.mkv", LONG)
    put("short.mp4")

    done = run(command, "-v", LONG, "short.mp4")

    assert max(map(len, (done.out + done.err).splitlines())) <= 80


def test_off_a_terminal_names_are_not_broken_into_lines(
    run: Run, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("rewrap.mkv", LONG)
    monkeypatch.delenv("COLUMNS")

    done = run("normalize", LONG)

    assert LONG in done.out
    assert LONG.replace(".mkv", ".ready.mp4") in done.out
    assert not [line for line in done.out.splitlines() if line.endswith(" ")]


def test_off_a_terminal_there_is_no_bar(run: Run, put: Put) -> None:
    put("slow.mp4")

    done = run("normalize", "slow.mp4")

    assert done.err == ""
    assert "\x1b" not in done.out


def test_verbose_adds_the_checks(run: Run, put: Put) -> None:
    text = run("normalize", "-v", put("rewrap.mkv")).out

    assert "pictures_identical" in text
    assert "verify" in text


def test_control_characters_become_visible() -> None:
    assert clean("a\x1b[31m\n\t\x7f\x9b") == "a\\x1b[31m\\n\\t\\x7f\\x9b"
    assert clean("\u202egpj.exe\u2028") == "\\u202egpj.exe\\u2028"
    assert clean("\udcff") == "\\udcff"


def test_ordinary_text_of_any_script_stays() -> None:
    for text in ("clip [1].mp4", "日本語", "été", "at 3.45\u202fPM", "👩\u200d👩\u200d👦"):
        assert clean(text) == text


def test_long_names_lose_their_middle() -> None:
    assert shorten("abcdefghij", 7) == "abc…hij"
    assert shorten("abc", 7) == "abc"


def test_numbers_are_short() -> None:
    assert number_text(Fraction(30000, 1001)) == "29.97"
    assert [bytes_text(n) for n in (999, 1000, 6_100_000, 2 * 10**12)] == [
        "999 bytes",
        "1.0 kB",
        "6.1 MB",
        "2000.0 GB",
    ]
    assert [taken_text(t) for t in (0.084, 3.21, 59.97, 125.4)] == [
        "0.08 s",
        "3.2 s",
        "1:00",
        "2:05",
    ]


def test_an_empty_table_is_still_a_table() -> None:
    show(console(), results_view([]))
