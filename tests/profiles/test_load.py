"""Profiles by name, by path, and what cannot be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import preprocess.profiles
from preprocess.errors import ClipreadyError, ProfileInvalid
from preprocess.profiles import compiled
from preprocess.profiles.load import load_profile, profile_names
from preprocess.profiles.parse import parse_profile

FILE = Path(preprocess.profiles.__file__).with_name("seedance-2-0-mini.toml")


def test_every_bundled_profile_loads_under_its_own_name() -> None:
    assert "seedance-2-0-mini" in profile_names()
    for name in profile_names():
        assert load_profile(name).name == name


def test_a_bundled_profile_is_read_once() -> None:
    assert load_profile("seedance-2-0-mini") is load_profile("seedance-2-0-mini")


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(FILE.read_text())
    first = load_profile(path)
    path.write_text(FILE.read_text().replace('provider = "EmpirioLabs"', 'provider = "Other"'))

    assert (first.provider, load_profile(str(path)).provider) == ("EmpirioLabs", "Other")


@pytest.mark.parametrize("name", ["", "seedance", "..", "__init__.py"])
def test_an_unknown_name_is_told_the_known_ones(name: str) -> None:
    with pytest.raises(LookupError, match="seedance-2-0-mini") as caught:
        load_profile(name)

    assert not isinstance(caught.value, ClipreadyError)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gone.toml"

    with pytest.raises(ProfileInvalid, match=r"gone\.toml:1: cannot be read: No such file"):
        load_profile(path)


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(b'name = "x"\nprovider = "\xff"\n')

    with pytest.raises(ProfileInvalid, match=r"broken\.toml:2: is not UTF-8"):
        load_profile(path)


def test_a_film_named_by_mistake_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "film.toml"
    with path.open("wb") as file:
        file.truncate(10**12)

    with pytest.raises(ProfileInvalid, match="a profile is far smaller"):
        load_profile(path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name = \n", 1),
        ('name = "x"\nname = "y"\n', 2),
        ('name = "x"\n\n[accept.safe\n', 3),
        ('name = "x"\n[sources]\nE1 = {', 3),
        ('name = """x\ny', 2),
        ("name = " + "9" * 5000, 1),
        ("name = " + "[" * 100_000, 1),
    ],
    ids=["no value", "twice", "header", "inline table", "string", "number", "nesting"],
)
def test_what_is_not_toml_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ProfileInvalid, match=rf"^x\.toml:{line}: not "):
        parse_profile(text, file="x.toml")


def test_an_empty_file_is_told_all_that_is_missing() -> None:
    with pytest.raises(ProfileInvalid) as caught:
        parse_profile("", file="x.toml")

    problems = str(caught.value).splitlines()
    assert "x.toml:1: name: is missing" in problems
    assert "x.toml:1: accept.safe.area_px: is missing" in problems
    assert "x.toml:1: tolerances.rewrite_s: is missing" in problems


def test_a_windows_file_has_the_same_lines() -> None:
    text = FILE.read_text().replace("min = 300", "min = 7000").replace("\n", "\r\n")
    line = text[: text.index("min = 7000")].count("\n") + 1

    with pytest.raises(ProfileInvalid, match=rf"x.toml:{line}: accept.safe.side_px.min"):
        parse_profile(text, file="x.toml")


# --- the compiled form -------------------------------------------------------------------------


@pytest.mark.parametrize("name", profile_names())
def test_the_compiled_form_is_what_the_file_says(name: str) -> None:
    """If not: ``python -m preprocess.profiles.compiled``."""
    folder = Path(preprocess.profiles.__path__[0])
    text = (folder / f"{name}.toml").read_text(encoding="utf-8")
    ready = compiled.read(folder / f"{name}{compiled.SUFFIX}", text)

    assert ready is not None
    assert ready == parse_profile(text, file=name) == load_profile(name)


def test_a_compiled_form_of_another_text_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "x.compiled.json"
    file.write_text(compiled.written(load_profile("seedance-2-0-mini"), "one text"))

    assert compiled.read(file, "one text") == load_profile("seedance-2-0-mini")
    assert compiled.read(file, "another text") is None
    assert compiled.read(tmp_path / "none.json", "one text") is None


def test_a_bundled_profile_is_loaded_without_pydantic() -> None:
    """Importing it and building its validators took half of a command's start (2026-11)."""
    code = (
        "import sys; from preprocess.profiles.load import load_profile; "
        "load_profile('seedance-2-0-mini'); sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
