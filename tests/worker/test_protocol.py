"""Frames, partial reads, caps, and descriptors that travel with a message."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from preprocess.worker.protocol import (
    Channel,
    ChannelClosedError,
    OperationError,
    ProtocolError,
    check_answer,
    decode,
    encode,
)
from tests.worker.support import open_fds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAP = 2**20


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Channel]]:
    """Our raw end and the channel that listens."""
    raw, other = socket.socketpair()
    yield raw, Channel(other)
    raw.close()
    other.close()


def test_a_message_survives_the_way(ends: tuple[socket.socket, Channel]) -> None:
    raw, channel = ends
    message = {"type": "job", "text": "Żółć \udce9", "list": [1, 2.5, None, True]}
    Channel(raw).send(encode(message, max_bytes=CAP))
    assert channel.receive(max_bytes=CAP) == message


def test_a_message_may_arrive_byte_by_byte(ends: tuple[socket.socket, Channel]) -> None:
    raw, channel = ends
    frame = encode({"text": "x" * 200}, max_bytes=CAP)

    def drip() -> None:
        for byte in frame:
            raw.send(bytes([byte]))
            time.sleep(0.0005)

    sender = threading.Thread(target=drip)
    sender.start()
    assert channel.receive(max_bytes=CAP) == {"text": "x" * 200}
    sender.join()


def test_two_messages_in_one_write_are_two(ends: tuple[socket.socket, Channel]) -> None:
    raw, channel = ends
    raw.sendall(encode({"n": 1}, max_bytes=CAP) + encode({"n": 2}, max_bytes=CAP))
    assert [channel.receive(max_bytes=CAP) for _ in range(2)] == [{"n": 1}, {"n": 2}]


def test_descriptors_come_with_the_message_they_belong_to(
    ends: tuple[socket.socket, Channel], tmp_path: Path
) -> None:
    raw, channel = ends
    sender = Channel(raw)
    for name in ("a", "b"):
        path = tmp_path / name
        path.write_text(name)
        with path.open() as file:
            sender.send(encode({"n": name, "fds": 1}, max_bytes=CAP), [file.fileno()])
    sender.send(encode({"n": "none"}, max_bytes=CAP))
    got = [channel.receive_with_fds(max_bytes=CAP) for _ in range(3)]
    assert [message["n"] for message, _ in got] == ["a", "b", "none"]
    assert [[os.read(fd, 9) for fd in fds] for _, fds in got] == [[b"a"], [b"b"], []]
    for _, fds in got:
        for fd in fds:
            assert not os.get_inheritable(fd)
            os.close(fd)


def test_descriptors_come_with_the_first_byte_of_a_torn_message(
    ends: tuple[socket.socket, Channel],
) -> None:
    raw, channel = ends
    frame = encode({"fds": 1}, max_bytes=CAP)

    def send_torn() -> None:
        socket.send_fds(raw, [frame[:1]], [raw.fileno()])
        for byte in frame[1:]:
            time.sleep(0.002)
            raw.send(bytes([byte]))

    sender = threading.Thread(target=send_torn)
    sender.start()
    message, fds = channel.receive_with_fds(max_bytes=CAP)
    sender.join()
    assert message == {"fds": 1}
    assert len(fds) == 1
    os.close(fds[0])


@pytest.mark.parametrize("promised", [0, 2, "1", None])
def test_a_message_with_other_descriptors_than_it_promises_is_refused_and_leaks_none(
    ends: tuple[socket.socket, Channel], promised: object
) -> None:
    raw, channel = ends
    before = open_fds()
    Channel(raw).send(encode({"fds": promised}, max_bytes=CAP), [raw.fileno()])
    with pytest.raises(ProtocolError, match="1 descriptors that promises"):
        channel.receive_with_fds(max_bytes=CAP)
    assert open_fds() == before


def test_the_caller_takes_no_descriptors_from_a_worker(
    ends: tuple[socket.socket, Channel],
) -> None:
    raw, channel = ends
    before = open_fds()
    Channel(raw).send(encode({"n": 1}, max_bytes=CAP), [raw.fileno()] * 16)
    assert channel.receive(max_bytes=CAP) == {"n": 1}
    assert open_fds() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[1]",
        b"7",
        b'{"a":',
        b'{"a":NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"n":' + b"9" * 10_000 + b"}",
    ],
    ids=range(9),
)
def test_what_is_no_object_in_json_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(body)


def test_a_long_message_is_refused_before_it_is_read(ends: tuple[socket.socket, Channel]) -> None:
    raw, channel = ends
    raw.sendall((CAP + 1).to_bytes(4, "big"))
    with pytest.raises(ProtocolError, match=f"{CAP + 1} bytes; allowed: {CAP}"):
        channel.receive(max_bytes=CAP)


def test_a_long_message_is_not_sent() -> None:
    with pytest.raises(ProtocolError, match="allowed: 10"):
        encode({"text": "x" * 11}, max_bytes=10)


def test_what_json_has_no_word_for_is_not_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"x": float("nan")}, max_bytes=CAP)
    with pytest.raises(TypeError):
        encode({"x": b"bytes"}, max_bytes=CAP)


@pytest.mark.parametrize("sent", [b"", b"\0\0", b"\0\0\0\x09{"])
def test_an_end_in_the_middle_is_an_end(ends: tuple[socket.socket, Channel], sent: bytes) -> None:
    raw, channel = ends
    raw.sendall(sent)
    raw.close()
    with pytest.raises(ChannelClosedError):
        channel.receive(max_bytes=CAP)


@pytest.mark.parametrize("sent", [b"", b"\0\0", b"\0\0\0\x09{"])
def test_waiting_ends_with_the_deadline(ends: tuple[socket.socket, Channel], sent: bytes) -> None:
    raw, channel = ends
    raw.sendall(sent)
    with pytest.raises(TimeoutError):
        channel.receive(max_bytes=CAP, deadline=time.monotonic() + 0.05)


def test_a_drip_does_not_move_the_deadline(ends: tuple[socket.socket, Channel]) -> None:
    raw, channel = ends
    stop = threading.Event()

    def drip() -> None:
        raw.send((1000).to_bytes(4, "big"))
        while not stop.wait(0.01):
            raw.send(b" ")

    sender = threading.Thread(target=drip)
    sender.start()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        channel.receive(max_bytes=CAP, deadline=started + 0.2)
    assert time.monotonic() - started < 1
    stop.set()
    sender.join()


def test_sending_to_one_who_does_not_read_ends_with_the_deadline(
    ends: tuple[socket.socket, Channel],
) -> None:
    raw, _channel = ends
    frame = encode({"text": "x" * 4 * CAP}, max_bytes=8 * CAP)
    with pytest.raises(TimeoutError):
        Channel(raw).send(frame, [raw.fileno()], deadline=time.monotonic() + 0.05)


def test_sending_to_one_who_has_gone_says_so(ends: tuple[socket.socket, Channel]) -> None:
    raw, channel = ends
    raw.close()
    with pytest.raises(ChannelClosedError):
        channel.send(encode({}, max_bytes=CAP))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"type": "job"},
        {"type": ["result"]},
        {"type": "result"},
        {"type": "result", "value": [1]},
        {"type": "progress", "value": "0.5"},
        {"type": "progress", "value": True},
        {"type": "error", "code": "x", "message": None, "details": {}},
        {"type": "failure", "code": "target_exists", "message": ""},
    ],
)
def test_an_answer_of_the_wrong_shape_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        check_answer(answer)


def test_an_operation_error_shows_its_code_and_message() -> None:
    assert str(OperationError("unsupported", "a spreadsheet")) == "unsupported: a spreadsheet"
