"""How caller and worker talk: framed JSON over a socket pair, descriptors travelling beside it.

A frame is its body's length (four bytes, big-endian) and the body, one JSON object in UTF-8. JSON
and never pickles: the worker may have been taken over by the file it parsed, and its answers must
not be able to do more than be wrong. Descriptors arrive with a frame's first byte (``SCM_RIGHTS``).

==============  ====================================================================================
to the worker   ``job`` (op, args, fds: their number, cpu_s, memory_bytes, output_bytes) · ``idle``
to the caller   ``ready`` (posture) · ``progress`` (value) · ``result`` (value) ·
                ``error`` (code, message, details) · ``failure`` (code, message)
==============  ====================================================================================

An ``error`` is what an operation says about its work, a ``failure`` a limit it ran into.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_REQUEST_BYTES: Final = 8 * 2**20
"""A plan with a long packet list stays far below."""
MAX_ANSWER_BYTES: Final = 8 * 2**20
"""What the caller is willing to hold for a worker that may lie."""
MAX_FDS: Final = 16
"""Descriptors in one request; an input, an output and a scratch file are usual."""
INTERNAL_ERROR: Final = "internal"
MEMORY_UNCLEAR: Final = "memory_unclear"
"""Code of an `OperationError` that no operation raised on purpose."""
FAILURES: Final = frozenset({"memory_limit", "output_limit", "disk_full", MEMORY_UNCLEAR})
"""Codes of a ``failure``; values of ``FailureCode``, but for the last."""

_HEADER: Final = struct.Struct(">I")
# A host may have put SIGPIPE back to its deadly default; a gone worker is an exception here.
_SEND_FLAGS: Final = getattr(socket, "MSG_NOSIGNAL", 0)

_ANSWERS: Final[dict[str, dict[str, type]]] = {
    "ready": {"posture": list},
    "progress": {"value": float},
    "result": {"value": dict},
    "error": {"code": str, "message": str, "details": dict},
    "failure": {"code": str, "message": str},
}

Message = dict[str, object]
T = TypeVar("T")


class ProtocolError(Exception):
    """The other side broke the rules: no JSON, too long, of the wrong shape."""


class ChannelClosedError(Exception):
    """The other side has gone."""


class MemoryUnclearError(Exception):
    """The job failed; whether for want of memory, this worker cannot say: an earlier job had more.

    In a worker that is fresh the answer is clear.
    """


class OperationError(Exception):
    """What an operation has to say instead of a result; it crosses the process boundary as it is.

    ``code`` is stable and for programs, ``message`` for people, ``details`` must be JSON-able. The
    code `INTERNAL_ERROR` marks an exception nobody foresaw; its details hold ``type`` and
    ``traceback``.
    """

    def __init__(
        self, code: str, message: str, details: Mapping[str, object] | None = None
    ) -> None:
        self.code = code
        self.message = message
        self.details = dict(details or {})
        super().__init__(code, message, self.details)

    def __str__(self) -> str:
        """Show the code and the message."""
        return f"{self.code}: {self.message}"


def encode(message: Mapping[str, object], *, max_bytes: int) -> bytes:
    """Turn a message into a frame.

    Raises TypeError or ValueError if it holds something JSON has no word for (NaN, bytes), and
    ProtocolError if the body is longer than ``max_bytes``.
    """
    body = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    if len(body) > max_bytes:
        text = f"a message of {len(body)} bytes; allowed: {max_bytes}"
        raise ProtocolError(text)
    return _HEADER.pack(len(body)) + body


def decode(body: bytes | bytearray) -> Message:
    """Turn a frame's body into a message, or raise ProtocolError."""
    try:
        message = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        text = f"a message that is not JSON ({type(exc).__name__}: {exc})"
        raise ProtocolError(text) from exc
    if not isinstance(message, dict):
        text = f"a message that is a {type(message).__name__}, not an object"
        raise ProtocolError(text)
    return message


def field(message: Mapping[str, object], name: str, kind: type[T]) -> T:
    """Return the field ``name``; ProtocolError if it is missing or not exactly of this type."""
    value = message.get(name)
    # Exactly: a bool is an int to isinstance(), and subclasses do not come out of JSON.
    if type(value) is not kind:
        text = f"a message whose {name!r} is a {type(value).__name__}, not a {kind.__name__}"
        raise ProtocolError(text)
    return value


def check_answer(message: Mapping[str, object]) -> str:
    """Return the ``type`` of an answer; ProtocolError if it lacks that type's fields."""
    kind = field(message, "type", str)
    if kind not in _ANSWERS:
        text = f"a message of the unknown type {kind[:40]!r}"
        raise ProtocolError(text)
    for name, wanted in _ANSWERS[kind].items():
        field(message, name, wanted)
    if kind == "failure" and message["code"] not in FAILURES:
        text = f"a failure of the unknown code {message['code']!r}"
        raise ProtocolError(text)
    return kind


class Channel:
    """One end of the socket pair, for one thread; a deadline is a ``time.monotonic()`` value."""

    __slots__ = ("_socket",)

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, frame: bytes, fds: Sequence[int] = (), *, deadline: float | None = None) -> None:
        """Send what `encode` made, and copies of ``fds`` with it.

        Raises ChannelClosedError if the other side has gone, TimeoutError after the deadline.
        """
        try:
            self._wait_until(deadline)
            sent = 0
            if fds:
                sent = socket.send_fds(self._socket, [frame], fds, _SEND_FLAGS)
                self._wait_until(deadline)
            self._socket.sendall(memoryview(frame)[sent:], _SEND_FLAGS)
        except ConnectionError as exc:
            raise ChannelClosedError from exc

    def receive(self, *, max_bytes: int, deadline: float | None = None) -> Message:
        """Wait for one message.

        Raises ChannelClosedError at the end of the stream, TimeoutError after the deadline,
        ProtocolError for what is no message. Descriptors that came along are closed by the kernel,
        since nothing here offers room for them: a worker cannot fill the caller's table.
        """
        return decode(self._receive_body(bytearray(), max_bytes, deadline))

    def receive_with_fds(
        self, *, max_bytes: int, deadline: float | None = None
    ) -> tuple[Message, list[int]]:
        """As `receive`, with the descriptors that came with the message; they are the caller's now.

        Raises ProtocolError if fewer arrived than the message's ``fds`` promises (the kernel drops
        those that do not fit under ``RLIMIT_NOFILE``).
        """
        try:
            self._wait_until(deadline)
            start, fds, _, _ = socket.recv_fds(self._socket, _HEADER.size, MAX_FDS)
        except ConnectionError as exc:
            raise ChannelClosedError from exc
        try:
            if not start:
                _raise_closed()
            for fd in fds:  # recv_fds() takes flags, but Python 3.11 ignores MSG_CMSG_CLOEXEC there
                os.set_inheritable(fd, False)  # noqa: FBT003 - its only form
            message = decode(self._receive_body(bytearray(start), max_bytes, deadline))
            _expect_fds(message, fds)
        except BaseException:
            close_all(fds)
            raise
        return message, fds

    def is_silent(self) -> bool:
        """Whether there is nothing to read: no message, no end of the stream."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _receive_body(self, header: bytearray, max_bytes: int, deadline: float | None) -> bytearray:
        header += self._receive_exactly(_HEADER.size - len(header), deadline)
        (size,) = _HEADER.unpack(header)
        if size > max_bytes:
            text = f"a message of {size} bytes; allowed: {max_bytes}"
            raise ProtocolError(text)
        return self._receive_exactly(size, deadline)

    def _receive_exactly(self, size: int, deadline: float | None) -> bytearray:
        buffer = bytearray(size)
        rest = memoryview(buffer)
        while rest:
            self._wait_until(deadline)
            try:
                count = self._socket.recv_into(rest)
            except ConnectionError as exc:
                raise ChannelClosedError from exc
            if not count:
                _raise_closed()
            rest = rest[count:]
        return buffer

    def _wait_until(self, deadline: float | None) -> None:
        """Let the next operation on the socket block until the deadline and no longer."""
        if deadline is None:
            self._socket.settimeout(None)
            return
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)


def close_all(fds: Sequence[int]) -> None:
    """Close descriptors; one that is closed already is no error."""
    for fd in fds:
        try:
            os.close(fd)
        except OSError:  # EBADF: whoever got it closed it
            continue


def _expect_fds(message: Message, fds: Sequence[int]) -> None:
    promised = message.get("fds", 0)
    if len(fds) != promised:
        text = f"a message with {len(fds)} descriptors that promises {promised}"
        raise ProtocolError(text)


def _raise_closed() -> NoReturn:
    raise ChannelClosedError


def _refuse_constant(name: str) -> NoReturn:
    text = f"{name} is not JSON"
    raise ValueError(text)
