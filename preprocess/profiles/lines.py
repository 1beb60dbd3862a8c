"""On which line of a TOML text each key stands. Pure.

``tomllib`` gives positions for syntax errors only. This scanner walks a text that ``tomllib`` has
already accepted, so it recognises the grammar (TOML 1.0) but does not judge it.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str, ...]
"""Keys from the root of the file: ``("accept", "safe", "area_px", "min")``."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
# Multi-line strings first: their opening would otherwise read as an empty string.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")


def key_lines(text: str) -> dict[Path, int]:
    """Line, from 1, of every table header, key and array element in *text*.

    An array of tables and the elements of an array have their index as a key, ``"0"``. A table
    that is only implied stands where it is first implied.
    """
    return _Scanner(text).scan()


class _Scanner:
    """One pass over a text that is known to be TOML."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.table_counts: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        """Read the whole text."""
        table: Path = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self.lines

    def _header(self) -> Path:
        brackets = 2 if self._peek("[[") else 1
        start = self.at
        self.at += brackets
        path = self._in_last_element(self._key())
        self.at += brackets
        if brackets == 2:  # noqa: PLR2004 - [[array.of.tables]]
            count = self.table_counts.get(path, 0)
            self.table_counts[path] = count + 1
            path = (*path, str(count))
        self._note(path, start)
        return path

    def _in_last_element(self, path: Path) -> Path:
        """*path* with the index of the newest element after each array of tables."""
        found: Path = ()
        for step, key in enumerate(path):
            found = (*found, key)
            if step < len(path) - 1 and found in self.table_counts:
                found = (*found, str(self.table_counts[found] - 1))
        return found

    def _pair(self, table: Path) -> None:
        start = self.at
        path = (*table, *self._key())
        self._note(path, start)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> Path:
        """A dotted key, and the blanks around it."""
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            if self._peek('"') or self._peek("'"):
                parts.append(_unquoted(self._take(_STRING)))
            else:
                parts.append(self._take(_BARE_KEY))
            self._skip(_SPACE)
            if not self._peek("."):
                return tuple(parts)
            self.at += 1

    def _value(self, path: Path) -> None:
        if self._peek('"') or self._peek("'"):
            self._take(_STRING)
        elif self._peek("["):
            self._elements(path)
        elif self._peek("{"):
            self._inline_table(path)
        else:
            self._take(_SCALAR)

    def _elements(self, path: Path) -> None:
        self.at += 1
        self._skip(_BLANK)
        index = 0
        while not self._peek("]"):
            element = (*path, str(index))
            self._note(element, self.at)
            self._value(element)
            self._comma()
            index += 1
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        self._skip(_BLANK)
        while not self._peek("}"):
            self._pair(path)
            self._comma()
        self.at += 1

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._peek(","):
            self.at += 1
        self._skip(_BLANK)

    def _note(self, path: Path, start: int) -> None:
        line = self.text.count("\n", 0, start) + 1
        for length in range(1, len(path)):
            self.lines.setdefault(path[:length], line)
        self.lines[path] = line

    def _peek(self, expected: str) -> bool:
        return self.text.startswith(expected, self.at)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            msg = f"not TOML at character {self.at}"
            raise ValueError(msg)
        self.at = match.end()
        return match[0]


def _unquoted(quoted: str) -> str:
    key: str = tomllib.loads(f"key = {quoted}")["key"]
    return key
