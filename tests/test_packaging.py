"""What a package index and a pip without groups get to see."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_development_tools_are_the_same_as_group_and_as_extra() -> None:
    assert PROJECT["project"]["optional-dependencies"]["dev"] == PROJECT["dependency-groups"]["dev"]


def test_no_requirement_names_a_host() -> None:
    assert "://" not in (ROOT / "pyproject.toml").read_text()


def test_the_version_is_written_once() -> None:
    version = re.compile(rf"['\"]{re.escape(PROJECT['project']['version'])}['\"]")
    sources = [path for name in ("preprocess", "pipeline") for path in (ROOT / name).rglob("*.py")]

    assert not [path.name for path in sources if version.search(path.read_text())]
