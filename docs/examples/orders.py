"""Orders between service and worker: a folder with a folder for each.

ORDERS/<id>/upload         what was uploaded
ORDERS/<id>/order.json     there once the upload is whole
ORDERS/<id>/outcome.json   there once it is over
ORDERS/<id>/<id>.mp4       the clip
"""

import os
import shutil
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel


class State(StrEnum):
    """How an order stands."""

    WAITING = "waiting"
    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Only a person can tell whether it was paid for."""


class Order(BaseModel, frozen=True):
    """What somebody wants."""

    id: uuid.UUID
    prompt: str


class Outcome(BaseModel):
    """What came of it."""

    state: State
    told: list[str] = []


class TooLargeError(Exception):
    """More was uploaded than is allowed."""


class Orders:
    """All orders, in one folder."""

    def __init__(self, root: Path) -> None:
        """Keep them in *root*, which is made if need be."""
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def folder(self, order: uuid.UUID) -> Path:
        """Where all of an order is. The name is ours, never one that a stranger sent."""
        return self._root / str(order)

    async def place(self, prompt: str, chunks: AsyncIterable[bytes], max_bytes: int) -> Order:
        """Take an order; it counts once its upload is whole.

        Raises:
            TooLargeError: the upload has more than *max_bytes*.
        """
        order = Order(id=uuid.uuid4(), prompt=prompt)
        folder = self.folder(order.id)
        folder.mkdir()
        try:
            with (folder / "upload").open("xb") as file:
                async for chunk in _bounded(chunks, max_bytes):
                    file.write(chunk)
            _write(folder / "order.json", order)
        except BaseException:
            shutil.rmtree(folder)
            raise
        return order

    def waiting(self) -> Iterator[Order]:
        """Orders without an outcome."""
        for path in sorted(self._root.glob("*/order.json")):
            if not path.with_name("outcome.json").exists():
                yield Order.model_validate_json(path.read_bytes())

    def outcome(self, order: uuid.UUID) -> Outcome | None:
        """How an order stands; ``None``: there is none."""
        folder = self.folder(order)
        if (folder / "outcome.json").exists():
            return Outcome.model_validate_json((folder / "outcome.json").read_bytes())
        return Outcome(state=State.WAITING) if (folder / "order.json").exists() else None

    def finish(self, order: Order, outcome: Outcome) -> None:
        """Write down what came of an order."""
        _write(self.folder(order.id) / "outcome.json", outcome)


async def _bounded(chunks: AsyncIterable[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise TooLargeError
        yield chunk


def _write(path: Path, content: BaseModel) -> None:
    """All of it or nothing, whenever the machine stops."""
    temporary = path.with_suffix(".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(content.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
