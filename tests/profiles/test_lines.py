"""The scanner finds each key that tomllib finds, on the line where it stands."""

from __future__ import annotations

import tomllib
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from preprocess.profiles.lines import key_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preprocess.profiles.lines import Path

# Each ^ stands for a single quote.
UGLY = r'''# [not.a.table]
top = 1 # key = 2
"quoted # key" = "a \" ] } # b"
^literal^ = ^C:\^   # a = 1

[table."sub.table".^x^]  # [comment]
text = """
[inside] = { of = "a string" }
\""" still inside"""
raw = ^^^
key = ^x^ ^^^^^
a . b.c = { d = [1, { e = "}" }], "f" = 2026-01-01 12:00:00 }
list = [ # first
  "]", # second
  [ 1,
    2 ],
]
[[many]]
n = 1
[[many]]
n = 1.5e3
[many.deep]
last = true'''.replace("^", "'")


def paths(node: Any, path: Path = ()) -> Iterator[Path]:  # noqa: ANN401 - a TOML tree
    if path:
        yield path
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from paths(value, (*path, str(key)))


def test_every_key_of_an_ugly_text_is_found_on_its_line() -> None:
    lines = key_lines(UGLY)

    assert set(paths(tomllib.loads(UGLY))) == set(lines)
    assert lines["top",] == 2
    assert lines["quoted # key",] == 3
    assert lines["table", "sub.table", "x"] == 6
    assert lines["table", "sub.table", "x", "raw"] == 10
    assert lines["table", "sub.table", "x", "a", "b", "c", "d", "1", "e"] == 12
    assert lines["table", "sub.table", "x", "list", "1", "1"] == 16
    assert lines["many", "1", "n"] == 21
    assert lines["many", "1", "deep", "last"] == 23


def _basic_string(text: str) -> str:
    escaped = "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}"
        for c in text.encode(errors="ignore").decode()
    )
    return f'"{escaped}"'


words = st.text(st.sampled_from("ab-_1"), min_size=1, max_size=3)
keys = words | st.text(max_size=4).map(_basic_string)
scalars = (
    st.integers(-9, 10**6).map(str)
    | st.sampled_from(["true", "1.5", "inf", "2026-09-01", "'# '"])
    | st.text(max_size=6).map(_basic_string)
    | st.text(st.sampled_from('ab"\n]}#='), max_size=6).map(lambda text: f"'''\n{text}'''")
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3).map(
        lambda parts: "[\n" + ", # x\n".join(parts) + "]"
    ),
    max_leaves=5,
)


@given(st.lists(st.tuples(keys, values, st.booleans()), max_size=6))
def test_every_key_of_any_text_is_found_on_its_line(
    entries: list[tuple[str, str, bool]],
) -> None:
    text, expected, number = "", {}, count()
    for key, value, in_table in entries:
        unique = f"k{next(number)}"
        if in_table:
            text += f"[ {unique} . {key} ] # {key}\n"
        text += f" {unique}.{key} =  {value}\n"
        expected[unique] = text[: text.rindex(f" {unique}.")].count("\n") + 1
    lines = key_lines(text)

    assert set(paths(tomllib.loads(text))) == set(lines)
    for unique, line in expected.items():
        assert line in [at for path, at in lines.items() if unique in path]
