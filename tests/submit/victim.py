"""A process that submits, waits, and is killed on the way: ``python -m tests.submit.victim``.

    victim BASE_URL HOME FOLDER POINT NUMBER

POINT and NUMBER say where it kills itself, with SIGKILL: ``before`` or ``after`` the NUMBER-th step
of the ledger; ``unnamed`` and ``named`` around the moment that the clip gets its name; ``never``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pipeline.client
import pipeline.download
from pipeline import Client, GenerationRequest, Ledger, Settings
from preprocess import finish_temporary

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pipeline import Entry

KEY = "one"
REQUEST = GenerationRequest(prompt="make it snow", duration=4, resolution="480p")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(work: Callable[..., Any], point: str, number: int, names: tuple[str, str]) -> Any:  # noqa: ANN401 - as *work*
    """*work*, and the end of this process before or after its *number*-th call."""
    calls = 0

    def wrapped(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - as *work*
        nonlocal calls
        calls += 1
        if (calls, point) == (number, names[0]):
            kill()
        result = work(*given, **named)
        if (calls, point) == (number, names[1]):
            kill()
        return result

    return wrapped


async def run(base_url: str, home: Path, folder: Path) -> None:
    settings = Settings.model_validate(
        {
            "api_key": os.environ["EMPIRIOLABS_API_KEY"],
            "base_url": base_url,
            "home": home,
            "poll_interval_s": 0.02,
        }
    )
    async with Client(settings) as client:
        job = await client.submit(REQUEST, key=KEY)
        await job.wait(directory=folder)


def main(base_url: str, home: str, folder: str, point: str, number: str) -> None:
    step = dying(Ledger.move, point, int(number), ("before", "after"))

    class Mortal(Ledger):
        def move(self, *given: Any, **named: Any) -> Entry | None:  # noqa: ANN401 - as it is
            moved: Entry | None = step(self, *given, **named)
            return moved

    named = dying(finish_temporary, point, int(number), ("unnamed", "named"))
    with (
        patch.object(pipeline.client, "Ledger", Mortal),
        patch.object(pipeline.download, "finish_temporary", named),
    ):
        asyncio.run(run(base_url, Path(home), Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
