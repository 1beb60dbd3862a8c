"""What docs/submit.md says of requests, media and stores is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.clips import make_clip
from fixtures.provider import Behaviour, Provider, Upload
from fixtures.spec import ClipSpec
from pipeline.errors import ErrorCode
from pipeline.ledger import State
from pipeline.request import GenerationRequest
from pipeline.settings import Settings
from preprocess import load_profile

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "submit.md").read_text(encoding="utf-8")
SOURCES = "\n".join(path.read_text() for path in (ROOT / "pipeline").rglob("*.py"))
NAMED = set(re.findall(r"^\| `([a-z0-9_.]+)` \|", TEXT, re.MULTILINE))
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
PROFILE = load_profile("seedance-2-0-mini")


def test_every_rule_of_the_request_is_documented_and_no_other() -> None:
    values = {name for name, each in PROFILE.parameters.items() if each.type != "url"}

    assert {name for name in NAMED if name.startswith("request.")} == {
        f"request.{name}" for name in values | {"model", "media"}
    }


def test_every_code_is_documented_and_no_other() -> None:
    tables = TEXT.partition("## Media\n")[2].partition("## Settings\n")[0]
    named = set(
        re.findall(
            r"^\| `([a-z]+_[a-z_]+|moderated|unavailable|expired|authentication)` \|",
            tables,
            re.MULTILINE,
        )
    )

    assert named == {code.value for code in ErrorCode}


def test_every_code_is_raised_somewhere() -> None:
    assert [code for code in ErrorCode if f"ErrorCode.{code.name}" not in SOURCES] == []


def test_every_code_has_the_type_that_is_named() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| `(\w+)` \|", TEXT, re.MULTILINE)

    assert len(rows) > 20
    for code, kind in rows:
        raised = rf"\b{kind}\(\s*ErrorCode\.{code.upper()}\b"
        mapped = rf"error={kind},\s*code=ErrorCode\.{code.upper()}\b"
        special = code in {
            "request_rejected",
            "download_failed",
            "download_no_clip",
            "download_target",
            "download_too_large",
        }
        assert special or re.search(f"{raised}|{mapped}", SOURCES), code


def test_every_state_is_documented() -> None:
    states = TEXT.partition("| state | means |")[2].partition("* **A key")[0]

    assert set(re.findall(r"^\| `(\w+)`", states, re.MULTILINE)) == {
        state.value for state in State if state is not State.FORGOTTEN
    }


def test_every_setting_is_documented_with_its_default() -> None:
    table = TEXT.partition("## Settings\n")[2]
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \|([^|]*)\|", table, re.MULTILINE))
    fields = {str(field.validation_alias): field for field in Settings.model_fields.values()}

    assert set(rows) == set(fields)
    numbers = {name: float(text) for name, text in rows.items() if text.strip().isdigit()}
    assert numbers == {name: fields[name].default for name in numbers}
    assert len(numbers) == 3


def test_every_parameter_is_a_field_and_no_other() -> None:
    assert {"model", *PROFILE.parameters} == set(GenerationRequest.model_fields)


def test_the_modes_of_the_table_are_those_of_the_profile() -> None:
    assert {name for name in NAMED if name in PROFILE.modes} == set(PROFILE.modes)


def test_the_python_of_the_request_runs() -> None:
    [example] = [block for block in PYTHON if "resolve(request" in block]

    done = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == (
        "edit $2.16 to $7.62: 6 s at $0.359 a second; "
        "the most if the 15.2 s of the clip are billed too\n"
    )


def test_the_python_of_the_client_runs(tmp_path: Path) -> None:
    """Through the provider's own upload, which needs no server beside the simulator."""
    make_clip(ClipSpec(name="c", frames=60, width=854, height=480), tmp_path / "IMG_0042.MOV")
    (tmp_path / "clips").mkdir()
    with Provider.running(Behaviour(uploads=Upload.PATH)) as provider:
        done = subprocess.run(
            [sys.executable, "-c", PYTHON[0]],
            cwd=tmp_path,
            env={
                "PYTHONPATH": str(ROOT),
                "EMPIRIOLABS_API_KEY": provider.key,
                "CLIPREADY_BASE_URL": provider.base_url,
                "CLIPREADY_STORE": "provider:",
                "CLIPREADY_HOME": str(tmp_path / "home"),
                "CLIPREADY_POLL_INTERVAL": "0.05",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert (done.returncode, done.stderr) == (0, "")
        assert len(provider.billed) == 1
    path, key, usd = done.stdout.split()
    assert Path(path).name == f"clip-{key[:16]}.mp4"
    assert Path(path).parent == tmp_path / "clips"
    assert float(usd) == pytest.approx(0.359 * (5 + 2.5), abs=0.2)
