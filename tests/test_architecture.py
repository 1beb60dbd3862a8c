"""Every module has a side, and the sides meet only where they may.

The import contracts in pyproject.toml name modules; this sees to it that none is left out.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("preprocess", "pipeline")
MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 60


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    _module_name(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
}
CONTRACTS: dict[str, dict[str, Any]] = {
    contract["name"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}


def below(*names: str) -> set[str]:
    """The modules that *names* mean: themselves and everything inside them."""
    return {
        module
        for module in FILES
        for name in names
        if module == name or module.startswith(f"{name}.")
    }


DECISION = below(*CONTRACTS["decision code is pure"]["source_modules"])
"""Pure: no clock, disk, process or environment."""

CALLER = {
    "preprocess",
    "preprocess.front",
    "preprocess.intake",
    "preprocess.job",
    "preprocess.naming",
    "preprocess.pair",
    "preprocess.prepare",
    "preprocess.ladder",
    "preprocess.image_ladder",
    "preprocess.task",
    "preprocess.profiles",
    "preprocess.profiles.compiled",
    "preprocess.profiles.load",
    "preprocess.publish",
    "preprocess.receipt",
    "preprocess.report",
    "preprocess.second_engine",
    "preprocess.verify",
    "preprocess.wire",
    "preprocess.worker",
    "preprocess.worker.client",
    "preprocess.worker.failures",
    "preprocess.worker.handle",
    "preprocess.worker.process",
    "preprocess.worker.protocol",
}
"""In the process of whoever calls us: may touch disk and processes, never a stranger's bytes."""

WORKER = below(
    "preprocess.native", "preprocess.pixels", "preprocess.probe", "preprocess.engines"
) | {
    "preprocess.worker.__main__",
    "preprocess.worker.limits",
    "preprocess.worker.operations",
}
"""In the child process: the only code that sees a stranger's bytes."""

NETWORK = below("pipeline")
"""Network and terminal."""

SIDES = {"decision": DECISION, "caller": CALLER, "worker": WORKER, "network": NETWORK}


def loaded_by(program: str) -> set[str]:
    """The modules in a fresh interpreter after *program*."""
    told = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(told.stdout.splitlines()[-1].split())


# --- every module has one side -------------------------------------------------------------------


def test_every_module_has_a_side() -> None:
    """A new module belongs into a set above, and into the contracts it is to keep."""
    assert set(FILES) - set().union(*SIDES.values()) == set()


def test_no_module_has_two_sides() -> None:
    assert [
        (one, other, SIDES[one] & SIDES[other])
        for one in SIDES
        for other in SIDES
        if one < other and SIDES[one] & SIDES[other]
    ] == []


def test_no_side_names_a_module_that_is_gone() -> None:
    assert set().union(*SIDES.values()) - set(FILES) == set()


@pytest.mark.parametrize("contract", CONTRACTS)
def test_no_contract_names_a_module_that_is_gone(contract: str) -> None:
    fields = ("source_modules", "protected_modules", "allowed_importers", "forbidden_modules")
    named = [name for field in fields for name in CONTRACTS[contract].get(field, ())]
    ours = [name.removesuffix(".*") for name in named if name.startswith(PACKAGES)]

    assert [name for name in ours if name not in FILES] == []


def test_only_the_workers_side_may_import_a_decoder() -> None:
    """`limits` is part of the worker and needs none."""
    contract = CONTRACTS["only the worker's side imports a decoder"]

    assert below(*contract["allowed_importers"]) == WORKER - {"preprocess.worker.limits"}


def test_no_contract_holds_the_wrong_side_back_from_decoders() -> None:
    contract = CONTRACTS["the caller's side reaches no decoder, not even indirectly"]

    assert below(*contract["source_modules"]) <= DECISION | CALLER | NETWORK
    assert below(*contract["source_modules"]) >= NETWORK


def test_decision_code_may_use_nothing_impure_of_ours() -> None:
    forbidden = CONTRACTS["decision code is pure"]["forbidden_modules"]
    helpers = {"preprocess.job", "preprocess.wire"}  # values, and values as JSON

    assert below(*forbidden) & DECISION == set()
    assert below(*forbidden) >= {
        module for module in WORKER | CALLER if module.startswith("preprocess.worker.")
    }
    assert {"os", "io", "pathlib", "subprocess", "socket", "time", "random"} <= set(forbidden)
    assert helpers <= CALLER


def _imports(module: str) -> set[str]:
    """Every module of ours that *module* names in an import, wherever it stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found & set(FILES)


@pytest.mark.parametrize("module", sorted(DECISION))
def test_decision_code_imports_decision_code_alone(module: str) -> None:
    """The package `preprocess.profiles` only gives names to types that are pure."""
    assert _imports(module) - DECISION <= {"preprocess", "preprocess.profiles"}


@pytest.mark.parametrize("module", sorted(DECISION | CALLER | NETWORK))
def test_nobody_outside_imports_the_workers_side(module: str) -> None:
    assert _imports(module) & WORKER == set()


# --- what is loaded ------------------------------------------------------------------------------

DECODERS = {"av", "PIL", "pillow_heif"}
OUTSIDE = {"httpx", "typer", "rich", "click"}


def test_importing_preprocess_loads_no_decoder_network_or_terminal() -> None:
    assert loaded_by("import preprocess") & (DECODERS | OUTSIDE) == set()


def test_every_name_of_the_front_door_loads_without_decoder_network_or_terminal() -> None:
    loaded = loaded_by("from preprocess import *")

    assert "preprocess.front" in loaded
    assert loaded & (DECODERS | OUTSIDE | WORKER) == set()


def test_the_callers_side_loads_no_decoder() -> None:
    """All of it, named in a contract or not."""
    names = ", ".join(sorted(DECISION | CALLER))

    assert loaded_by(f"import {names}") & (DECODERS | OUTSIDE | WORKER) == set()


def test_the_command_line_loads_no_decoder() -> None:
    names = ", ".join(sorted(NETWORK - {"pipeline.__main__"}))

    assert loaded_by(f"import {names}") & (DECODERS | WORKER) == set()


def test_decision_code_loads_nothing_else_of_ours() -> None:
    """No process, socket or disk of ours; what pydantic loads for itself is its own."""
    loaded = loaded_by(f"import {', '.join(sorted(DECISION))}")
    ours = {name for name in loaded if name.split(".")[0] in PACKAGES}

    assert ours - DECISION == {"preprocess", "preprocess.profiles"}
    assert loaded & (DECODERS | OUTSIDE | {"subprocess", "asyncio", "multiprocessing"}) == set()


# --- sizes ---------------------------------------------------------------------------------------


def test_no_module_is_longer_than_five_hundred_lines() -> None:
    lengths = {module: len(path.read_text().splitlines()) for module, path in FILES.items()}

    assert {name: lines for name, lines in lengths.items() if lines > MAX_MODULE_LINES} == {}


@pytest.mark.parametrize("module", sorted(FILES))
def test_no_function_is_longer_than_sixty_lines(module: str) -> None:
    functions = (
        node
        for node in ast.walk(ast.parse(FILES[module].read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}

    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}
