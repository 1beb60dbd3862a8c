"""Values of ours as JSON and back, checked: both sides of the worker's pipe speak through this.

Written out rather than left to pydantic: its import and the building of its validators took 250 ms
of every worker's start (measured with ``python -X importtime``), more than opening the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
_Reader = Callable[[Any], Any]
_PLAIN = (bool, int, float, str, NoneType)


class WireError(ValueError):
    """The data is not what our side would have written."""


def dump(value: object) -> Any:  # noqa: ANN401 - JSON is whatever it is
    """*value*, built of our dataclasses, as JSON-able data; fractions become ``"1001/30000"``."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple | frozenset | dict):
        return _dump_collection(value)
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if is_dataclass(value):
        return {name: dump(getattr(value, name)) for name in _names(cast("Any", type(value)))}
    msg = f"{type(value).__name__} does not travel"
    raise WireError(msg)


def load(kind: type[T], data: object) -> T:
    """The *kind* that `dump` wrote.

    Raises:
        WireError: *data* is something else: a missing or unknown key, a value of another type.
    """
    value: T = _reader(cast("Any", kind))(data)
    return value


def _dump_collection(value: tuple[Any, ...] | frozenset[Any] | dict[Any, Any]) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {dump(key): dump(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(dump(item) for item in value)
    return list(value) if _is_plain(value) else [dump(item) for item in value]


def _is_plain(values: tuple[object, ...]) -> bool:
    """Whether a tuple holds one plain type only, as tables of numbers do."""
    return len({type(value) for value in values} - {int, str}) == 0


@lru_cache(maxsize=64)
def _names(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - a dataclass
    return tuple(field.name for field in fields(kind))


@lru_cache(maxsize=256)
def _reader(kind: Any) -> _Reader:  # noqa: ANN401 - a case for each sort of type
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _union(get_args(kind))
    if origin in _COLLECTIONS:
        return _COLLECTIONS[origin](*get_args(kind))
    if kind is Fraction:
        return _fraction
    if kind in _PLAIN:
        return _plain(kind)
    if is_dataclass(kind):
        return _dataclass(kind)
    if issubclass(kind, Enum):
        return _enum(kind)
    msg = f"{kind} does not travel"
    raise TypeError(msg)


def _wrong(kind: object, data: object) -> WireError:
    return WireError(f"{getattr(kind, '__name__', kind)} expected, not {str(data)[:80]!r}")


def _plain(kind: type) -> _Reader:
    allowed = (int, float) if kind is float else (kind,)

    def read(data: object) -> object:
        if type(data) not in allowed:
            raise _wrong(kind, data)
        return data

    return read


def _fraction(data: object) -> Fraction:
    if not isinstance(data, str):
        raise _wrong(Fraction, data)
    try:
        return Fraction(data)
    except (ValueError, ZeroDivisionError) as error:
        raise _wrong(Fraction, data) from error


def _enum(kind: type[Enum]) -> _Reader:
    def read(data: object) -> Enum:
        try:
            return kind(data)
        except ValueError as error:
            raise _wrong(kind, data) from error

    return read


def _union(kinds: tuple[Any, ...]) -> _Reader:
    readers = [_reader(kind) for kind in kinds if kind is not NoneType]

    def read(data: object) -> object:
        if data is None and NoneType in kinds:
            return None
        for reader in readers:
            try:
                return reader(data)
            except WireError as error:
                failed = error
        raise failed

    return read


def _tuple(kind: Any, _dots: object = ...) -> _Reader:  # noqa: ANN401 - a type form
    reader = _reader(kind)
    plain = kind if kind in (int, str) else None

    def read(data: object) -> tuple[object, ...]:
        if not isinstance(data, list):
            raise _wrong(tuple, data)
        if plain is not None and {type(item) for item in data} <= {plain}:
            return tuple(data)
        return tuple(reader(item) for item in data)

    return read


def _frozenset(kind: Any) -> _Reader:  # noqa: ANN401 - a type form
    read = _tuple(kind)
    return lambda data: frozenset(read(data))


def _literal(*kinds: object) -> _Reader:
    def read(data: object) -> object:
        if not any(data == kind and type(data) is type(kind) for kind in kinds):
            raise _wrong(kinds, data)
        return data

    return read


def _dict(keys: Any, kind: Any) -> _Reader:  # noqa: ANN401 - a type form
    key_reader, reader = _reader(keys), _reader(kind)

    def read(data: object) -> dict[object, object]:
        if not isinstance(data, dict):
            raise _wrong(dict, data)
        return {key_reader(key): reader(item) for key, item in data.items()}

    return read


def _dataclass(kind: Any) -> _Reader:  # noqa: ANN401 - a dataclass
    hints = get_type_hints(kind)
    readers = {name: _reader(hints[name]) for name in _names(kind)}

    def read(data: object) -> object:
        if not isinstance(data, dict) or data.keys() != readers.keys():
            raise _wrong(kind, sorted(data) if isinstance(data, dict) else data)
        return kind(**{name: reader(data[name]) for name, reader in readers.items()})

    return read


_COLLECTIONS: dict[object, Callable[..., _Reader]] = {
    tuple: _tuple,
    frozenset: _frozenset,
    dict: _dict,
    Mapping: _dict,
    Literal: _literal,
}
