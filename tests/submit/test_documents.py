"""What docs/submit.md says of requests, media and stores is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from pipeline.errors import ErrorCode
from pipeline.request import GenerationRequest
from preprocess import load_profile

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "submit.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"^\| `([a-z0-9_.]+)` \|", TEXT, re.MULTILINE))
PROFILE = load_profile("seedance-2-0-mini")


def test_every_rule_of_the_request_is_documented_and_no_other() -> None:
    values = {name for name, each in PROFILE.parameters.items() if each.type != "url"}

    assert {name for name in NAMED if name.startswith("request.")} == {
        f"request.{name}" for name in values | {"model", "media"}
    }


def test_every_code_of_media_and_stores_is_documented_and_no_other() -> None:
    def ours(names: set[str]) -> set[str]:
        return {name for name in names if name.startswith(("source_", "store_"))}

    assert ours(NAMED) == ours({code.value for code in ErrorCode})


def test_every_code_of_media_and_stores_is_raised_somewhere() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "pipeline").rglob("*.py"))
    ours = [code for code in ErrorCode if code.startswith(("source_", "store_"))]

    assert [code for code in ours if f"ErrorCode.{code.name}" not in sources] == []


def test_every_parameter_is_a_field_and_no_other() -> None:
    assert {"model", *PROFILE.parameters} == set(GenerationRequest.model_fields)


def test_the_modes_of_the_table_are_those_of_the_profile() -> None:
    assert {name for name in NAMED if name in PROFILE.modes} == set(PROFILE.modes)


def test_the_python_of_the_request_runs() -> None:
    [example] = re.findall(
        r"^```python\n(.*?GenerationRequest\(.*?)^```", TEXT, re.DOTALL | re.MULTILINE
    )[:1]

    done = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == (
        "edit $2.16 to $7.62: 6 s at $0.359 a second; "
        "the most if the 15.2 s of the clip are billed too\n"
    )
