"""What each command answers, in JSON and by its exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.terminal.request import Request, Task
from pipeline.terminal.work import consider, prepare
from preprocess import Intent, Options, Status, Target, load_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pipeline.conftest import Ran

    Run = Callable[..., Ran]
    Put = Callable[..., Path]

HEAD = {"type", "schema", "index", "input"}
FINAL_TYPE = {"probe": "probe", "check": "check", "plan": "plan", "normalize": "result"}


@pytest.mark.parametrize("command", FINAL_TYPE)
def test_every_input_gets_exactly_one_final_object(command: str, run: Run, put: Put) -> None:
    names = [put("keep.mp4"), put("rewrap.mkv"), put("short.mp4"), "missing.mp4"]

    done = run(command, "--json", *names)

    assert [record["index"] for record in done.final] == [0, 1, 2, 3]
    assert [record["input"] for record in done.final] == [str(name) for name in names]
    assert {record["type"] for record in done.final} == {FINAL_TYPE[command]}
    assert {record["schema"] for record in done.records} == {1}
    assert done.code == 3


@pytest.mark.parametrize("command", FINAL_TYPE)
def test_a_file_that_is_fine_ends_with_zero(command: str, run: Run, put: Put) -> None:
    assert run(command, put("keep.mp4")).code == 0


def test_probe_tells_the_facts(run: Run, put: Put) -> None:
    [record] = run("probe", "--json", put("keep.mp4")).final

    assert record.keys() == {*HEAD, "facts", "error"}
    assert record["facts"]["width_px"] == 854
    assert record["facts"]["frame_rate"] == "24/1"
    assert record["error"] is None


def test_probe_of_a_missing_file_is_a_rejection(run: Run) -> None:
    done = run("probe", "--json", "missing.mp4")

    assert done.code == 3
    assert done.final[0]["facts"] is None
    assert done.final[0]["error"]["code"] == "input.missing"


def test_probe_tells_damage_as_a_fact(run: Run, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no clip at all\n" * 50)

    done = run("probe", "--json", text)

    assert done.code == 0
    assert done.final[0]["facts"]["kind"] == "other"


def test_check_accepts_exactly_what_would_be_kept(run: Run, put: Put) -> None:
    done = run("check", "--json", put("keep.mp4"), put("rewrap.mkv"), put("short.mp4"))

    assert [record["accepted"] for record in done.final] == [True, False, False]
    assert [record["route"] for record in done.final] == ["keep", "rewrap", None]
    assert [record["error"] is None for record in done.final] == [True, True, False]
    assert done.final[1]["reasons"][0]["rule"] == "file.container"
    assert done.code == 3


def test_check_says_no_to_what_can_be_mended(run: Run, put: Put) -> None:
    assert run("check", put("rewrap.mkv")).code == 3


def test_plan_has_a_plan_and_no_status(run: Run, put: Put) -> None:
    source = put("rewrap.mkv")

    done = run("plan", "--json", source)

    [record] = done.final
    assert "status" not in record
    assert record["plan"]["route"] == "rewrap"
    assert record["plan"]["expected"]["frames"] == 72
    assert record["plan"]["price"]["usd_per_second"].keys() == {"480p", "720p"}
    assert record["output"] == str(source.with_name("rewrap.ready.mp4"))
    assert done.code == 0


def test_plan_writes_nothing(run: Run, put: Put, tmp_path: Path) -> None:
    put("rewrap.mkv")

    run("plan", tmp_path / "rewrap.mkv")

    assert [path.name for path in tmp_path.iterdir()] == ["rewrap.mkv"]


def test_plan_of_what_cannot_be_made_fit_has_every_objection(run: Run, put: Put) -> None:
    done = run("plan", "--json", put("uneven.mp4"), "--short", "reject", "--window", "0..1")

    [record] = done.final
    assert record["plan"] is None
    assert record["reasons"]
    assert record["error"]["code"] == record["reasons"][0]["rule"]
    assert done.code == 3


def test_normalize_tells_the_whole_story(run: Run, put: Put) -> None:
    source = put("rewrap.mkv")

    [record] = run("normalize", "--json", source).final

    assert record["status"] == "prepared"
    assert record["route"] == "rewrap"
    assert record["output"] == str(source.with_name("rewrap.ready.mp4"))
    assert len(record["output_sha256"]) == 64
    assert record["output_facts"]["container"] == "mp4"
    assert all(check["ok"] for check in record["checks"])
    assert record["timings_s"]["total"] > 0
    receipt = json.loads((source.parent / "rewrap.ready.mp4.receipt.json").read_text())
    assert receipt["output_sha256"] == record["output_sha256"]


def test_normalize_leaves_alone_what_is_fine(run: Run, put: Put, tmp_path: Path) -> None:
    source = put("keep.mp4")

    [record] = run("normalize", "--json", source).final

    assert record["status"] == "unchanged"
    assert record["output"] == str(source)
    assert record["receipt"] is None
    assert list(tmp_path.iterdir()) == [source]


def test_what_was_made_is_accepted(run: Run, put: Put, tmp_path: Path) -> None:
    run("normalize", put("small.mp4"))

    assert run("check", tmp_path / "small.ready.mp4").code == 0


def test_a_failure_on_our_side_outweighs_a_rejection(run: Run, put: Put, tmp_path: Path) -> None:
    source = put("rewrap.mkv")
    (tmp_path / "rewrap.ready.mp4").write_text("mine")

    done = run("normalize", "--json", source, "missing.mp4")

    assert [record["status"] for record in done.final] == ["failed", "rejected"]
    assert done.final[0]["error"]["code"] == "target_exists"
    assert done.code == 1


def test_progress_lines_come_before_the_result(run: Run, put: Put) -> None:
    source = put("small.mp4")

    records = run("normalize", "--json", source).records

    assert records[-1]["type"] == "result"
    assert {record["type"] for record in records[:-1]} == {"progress"}
    assert all(record.keys() == {*HEAD, "stage", "route", "fraction"} for record in records[:-1])
    assert [record["stage"] for record in records[:2]] == ["probe", "probe"]
    assert all(0 <= record["fraction"] <= 1 for record in records[:-1])
    assert {record["route"] for record in records if record.get("stage") == "execute"} == {"encode"}


def test_a_deadline_that_passes_is_a_failure(run: Run, put: Put) -> None:
    done = run("normalize", "--json", "--deadline", "0.001", put("slow.mp4"))

    assert done.final[0]["error"]["code"] == "deadline"
    assert done.code == 1


def test_an_exception_nobody_foresaw_is_an_answer_too() -> None:
    """One input must not cost the others their answers, whatever is wrong with it or with us."""
    task = Task(index=0, name="a", source=None, target=Target())  # type: ignore[arg-type]
    request = Request(
        tasks=(task,), intent=Intent(), options=Options(), profile=load_profile(Intent().profile)
    )

    [(_, found)] = consider((task,), request)

    assert found.status is Status.FAILED
    assert found.problem is not None
    assert found.problem.code == "internal"
    assert found.problem.message.startswith("TypeError: ")
    assert "Traceback" in (found.problem.detail or "")
    [(_, report)] = prepare((task,), request, None)
    assert report.status is Status.FAILED


def test_the_window_reaches_the_planner(run: Run, put: Put) -> None:
    [record] = run("plan", "--json", "--window", "0..2", put("keep.mp4")).final

    assert record["plan"]["expected"]["duration_s"] <= 2
    assert record["plan"]["route"] != "keep"


def test_sound_can_be_left_out(run: Run, put: Put) -> None:
    [record] = run("normalize", "--json", "--audio", "drop", put("keep.mp4")).final

    assert record["output_facts"]["audio_codec"] is None


def test_profiles_are_listed_and_shown(run: Run) -> None:
    [listed] = run("profiles", "--json").records
    [shown] = run("profiles", "show", "seedance-2-0-mini", "--json").records

    assert listed == shown
    assert listed["type"] == "profile"
    assert "accept.safe.area_px" in {limit["key"] for limit in listed["limits"]}
    assert "E1" in listed["sources"]


def test_every_source_of_a_profile_is_shown(run: Run) -> None:
    text = run("profiles", "show", "seedance-2-0-mini").out

    assert "min 409600, max 927408" in text
    assert "Volcengine" in text
