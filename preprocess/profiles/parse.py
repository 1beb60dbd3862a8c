"""Profile files from text to values: syntax, shape, contradictions; objections name the line."""

from __future__ import annotations

import re
import tomllib
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from preprocess.errors import ProfileInvalid
from preprocess.profiles.check import Problem, contradictions
from preprocess.profiles.document import Document, shown
from preprocess.profiles.lines import Path, key_lines
from preprocess.profiles.resolve import resolve

if TYPE_CHECKING:
    from preprocess.profiles.model import Profile

_DECIMAL = re.compile(r"[+-]?\d{1,18}\.\d{1,18}")
# Each pass takes out what the one before it objected to, so that the rest is looked at too.
_MAX_PASSES = 8


def parse_profile(text: str, *, file: str) -> Profile:
    """The profile written in *text*; *file* names it in messages.

    Raises:
        ProfileInvalid: with every problem on a line of its own, ``FILE:LINE: KEY: what``.
    """
    tree = _parse(text, file)
    document, problems = _shape(tree)
    objected = [problem.path for problem in problems]
    problems += [
        problem for problem in contradictions(document) if not _follows(problem.path, objected)
    ]
    if problems:
        lines = key_lines(text)
        problems.sort(key=lambda problem: _line(problem.path, lines))
        told = [f"{file}:{_line(each.path, lines)}: {_told(each)}" for each in problems]
        raise ProfileInvalid("\n".join(told))
    return resolve(document)


# --- syntax ------------------------------------------------------------------------------------


def _parse(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        msg = f"{file}:{line}: not TOML: {error}"
        raise ProfileInvalid(msg) from error
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond all reason
        msg = f"{file}:1: not a profile: {error}"
        raise ProfileInvalid(msg) from error


def _decimal(text: str) -> Fraction | float:
    """An exact number; ``inf``, ``nan`` and exponents stay floats, which no limit takes."""
    plain = text.replace("_", "")
    return Fraction(plain) if _DECIMAL.fullmatch(plain) else float(plain)


# --- shape -------------------------------------------------------------------------------------


def _shape(tree: dict[str, Any]) -> tuple[Document, list[Problem]]:
    """What of *tree* has the right shape, and what has not."""
    problems: list[Problem] = []
    for _ in range(_MAX_PASSES):
        try:
            return Document.model_validate(tree), problems
        except ValidationError as error:
            located = [(_existing(tree, each["loc"]), each) for each in error.errors()]
        objected = [problem.path for problem in problems]
        problems += [
            Problem(path, _objection(each, path))
            for path, each in located
            if not _follows(path, objected)
        ]
        for path, _ in located:
            _remove(tree, path)
    return Document(), problems


def _existing(tree: dict[str, Any], location: tuple[int | str, ...]) -> Path:
    """The part of a pydantic location that is in the file (it adds markers of its own)."""
    path: Path = ()
    node: Any = tree
    for key in location:
        if not isinstance(node, dict) or key not in node:
            break
        node = node[key]
        path = (*path, str(key))
    return path


def _remove(tree: dict[str, Any], path: Path) -> None:
    node = tree
    for key in path[:-1]:
        node = node.get(key, {})
    node.pop(path[-1] if path else "", None)


def _objection(error: Any, path: Path) -> str:  # noqa: ANN401 - pydantic's ErrorDetails, a TypedDict
    match error["type"]:
        case "extra_forbidden":
            return "unknown key"
        case "missing":
            return f"{error['loc'][-1]} is missing"
        case "int_type":
            return "is not a whole number, written without a point and without quotes"
        case "value_error":
            return str(error["ctx"]["error"])
    message = str(error["msg"])
    message = message[0].lower() + message[1:]
    return f"{message}, not {shown(error['input']):.60}" if path else message


# --- messages ----------------------------------------------------------------------------------


def _follows(path: Path, objected: list[Path]) -> bool:
    """Whether a problem at *path* only says that something already objected to is not there."""
    return any(path[: len(o)] == o or o[: len(path)] == path for o in objected)


def _line(path: Path, lines: dict[Path, int]) -> int:
    """The line of *path*, or of the nearest table around it."""
    return next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 1)


def _told(problem: Problem) -> str:
    bare = re.compile(r"[\w-]+")
    key = ".".join(part if bare.fullmatch(part) else f'"{part}"' for part in problem.path)
    return f"{key}: {problem.message}" if key else problem.message
