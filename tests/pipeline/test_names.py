"""Where results go, what they are called, and that nothing is overwritten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pipeline.conftest import Ran

    Run = Callable[..., Ran]
    Put = Callable[..., Path]

HOSTILE = (
    "clip[final].mkv",
    "[/x].mkv",
    "[red]clip[/red].mkv",
    "esc\x1b[31m\x1b]0;title\x07.mkv",
    "two\nlines\r.mkv",
    "percent %03d {0} $(id) `id`.mkv",
    "quotes ' \" ; && .mkv",
    "right\u202eto left.mkv",
    "日本語の名前.mkv",
    ":smile: *bold* _x_.mkv",
)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_one_result_goes_where_it_is_told(run: Run, put: Put, tmp_path: Path) -> None:
    done = run("normalize", "--json", put("rewrap.mkv"), "-o", tmp_path / "out.mp4")

    assert done.final[0]["output"] == str(tmp_path / "out.mp4")
    assert names(tmp_path) == {"rewrap.mkv", "out.mp4", "out.mp4.receipt.json"}


def test_a_kept_file_is_copied_where_it_is_told(run: Run, put: Put, tmp_path: Path) -> None:
    source = put("keep.mp4")

    [record] = run("normalize", "--json", source, "-o", tmp_path / "out.mp4").final

    assert record["status"] == "unchanged"
    assert record["output_sha256"]
    assert (tmp_path / "out.mp4").read_bytes() == source.read_bytes()


def test_a_folder_takes_all_results(run: Run, put: Put, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    run("normalize", put("keep.mp4"), put("rewrap.mkv"), "-d", folder)

    assert names(folder) == {
        "keep.ready.mp4",
        "keep.ready.mp4.receipt.json",
        "rewrap.ready.mp4",
        "rewrap.ready.mp4.receipt.json",
    }


def test_the_plan_names_the_result_that_normalize_makes(run: Run, put: Put, tmp_path: Path) -> None:
    sources = [put("keep.mp4"), put("rewrap.mkv"), put("rewrap.mkv", "keep.mkv")]

    for where in ([], ["-d", tmp_path]):
        planned = run("plan", "--json", *sources, *where).final
        made = run("normalize", "--json", "--force", *sources, *where).final
        assert [each["output"] for each in planned] == [each["output"] for each in made]


def test_results_that_would_collide_are_told_apart(run: Run, put: Put, tmp_path: Path) -> None:
    sources = [put("rewrap.mkv", f"{folder}/a.{ext}") for folder in "xy" for ext in ("mkv", "mov")]
    folder = tmp_path / "out"
    folder.mkdir()

    done = run("normalize", "--json", *sources, "-d", folder)

    outputs = [record["output"] for record in done.final]
    assert done.code == 0
    assert len(set(outputs)) == 4
    assert all(os.path.basename(output).startswith("a.m") for output in outputs)  # noqa: PTH119 - text from JSON


def test_beside_their_inputs_only_one_extension_is_inserted(
    run: Run, put: Put, tmp_path: Path
) -> None:
    done = run("normalize", "--json", put("rewrap.mkv", "a.mkv"), put("rewrap.mkv", "a.mov"))

    assert [record["output"] for record in done.final] == [
        str(tmp_path / "a.mkv.ready.mp4"),
        str(tmp_path / "a.mov.ready.mp4"),
    ]


def test_nothing_is_overwritten_unless_forced(run: Run, put: Put, tmp_path: Path) -> None:
    source = put("rewrap.mkv")
    target = tmp_path / "rewrap.ready.mp4"
    target.write_text("mine")

    refused = run("normalize", source)
    assert (refused.code, target.read_text()) == (1, "mine")
    assert "--force" in refused.err

    forced = run("normalize", "--force", source)
    assert forced.code == 0
    assert target.stat().st_size > 1000


def test_a_missing_folder_is_a_failure_that_says_so(run: Run, put: Put, tmp_path: Path) -> None:
    done = run("normalize", "--json", put("rewrap.mkv"), "-d", tmp_path / "none")

    assert done.code == 1
    assert done.final[0]["error"]["code"] == "target_not_writable"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_ordinary_names(name: str, run: Run, put: Put, tmp_path: Path) -> None:
    put("rewrap.mkv", name)

    in_json = run("normalize", "--json", name)
    to_people = [run(command, "-v", "--force", name) for command in ("normalize", "check", "plan")]
    to_people.append(run("probe", "-v", name))

    assert in_json.final[0]["status"] == "prepared"
    assert in_json.final[0]["input"] == name
    assert (tmp_path / name.replace(".mkv", ".ready.mp4")).exists()
    assert [done.code for done in to_people] == [0, 3, 0, 0]
    for done in to_people:
        assert not [c for c in done.out + done.err if not c.isprintable() and c != "\n"]
        assert not name.isprintable() or name in done.out


def test_a_name_that_is_no_text_is_no_problem(program: Run, put: Put, tmp_path: Path) -> None:
    put("rewrap.mkv", os.fsdecode(b"\xff\xfe.mkv"))

    done = program("normalize", "--json", b"\xff\xfe.mkv")

    assert done.final[0]["status"] == "prepared"
    assert (tmp_path / os.fsdecode(b"\xff\xfe.ready.mp4")).exists()


def test_a_name_may_start_with_a_dash(program: Run, put: Put) -> None:
    put("rewrap.mkv", "-video-with-dash-.mkv")

    done = program("normalize", "--json", "--", "-video-with-dash-.mkv")

    assert done.code == 0
    assert done.final[0]["output"] == "-video-with-dash-.ready.mp4"


def test_a_name_may_look_like_help(program: Run, put: Put) -> None:
    put("keep.mp4", "--help")

    assert program("check", "--", "--help").code == 0
