"""Every fault at every step, and a kill between any two steps of the ledger, as tables.

    python -m tests.submit.fault_matrix

A job is submitted to the simulated provider while one thing goes wrong, then asked for again with
the same key. Ends with 1 if anything was billed twice, or a clip was promised that is not there.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from PIL import Image

import pipeline.stores.provider
from fixtures.provider import Behaviour, Effect, Kind, Provider, Step, Upload
from pipeline import Client, GenerationRequest, PipelineError
from pipeline.pace import Pace
from tests.submit import test_provider as faults
from tests.submit.victim import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = (Step.UPLOAD, Step.SUBMIT, Step.FETCH, Step.POLL, Step.DOWNLOAD)
_MANY = 10**6
_HEADING = ("step", "what goes wrong", "and yet", "ended", "ledger", "posts", "jobs", "billed")
_AGAIN = ("again", "ledger", "posts", "jobs", "billed")
_WIDTHS = (13, 42, 9, 17, 12, 6, 5, 9, 17, 12, 6, 5, 7)
_KILL_WIDTHS = (12, 8, 12, 6, 19, 12, 19, 12, 5, 7)


def main() -> int:
    """Print both tables."""
    behaviour = Behaviour(
        requests_per_minute=_MANY,
        balance_usd=Decimal(_MANY),
        uploads=Upload.PATH,
        fetch_deadline_s=0.3,
    )
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, Provider.running(behaviour) as provider:
        frame = Path(folder) / "frame.png"
        Image.new("RGB", (640, 480), (90, 120, 60)).save(frame)
        print(_line(_WIDTHS, *_HEADING, *_AGAIN))  # noqa: T201
        # An upload is given a minute and more; here nobody waits for that.
        with patch.object(pipeline.stores.provider, "_GRACE_S", faults.PATIENCE_S):
            for row in _faults(provider, frame):
                wrong += not row[-1]
                print(_line(_WIDTHS, *row[:-1]), flush=True)  # noqa: T201
        print()  # noqa: T201
        print(_line(_KILL_WIDTHS, *_KILLED))  # noqa: T201
        for killed in _kills(provider):
            wrong += not killed[-1]
            print(_line(_KILL_WIDTHS, *killed[:-1]), flush=True)  # noqa: T201
        _show_ledger(provider)
    print(f"\nbilled twice, or a clip that is not there: {wrong}")  # noqa: T201
    return 1 if wrong else 0


def _line(widths: tuple[int, ...], *cells: object) -> str:
    return "".join(f"{cell!s:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


# --- faults --------------------------------------------------------------------------------------


def _faults(provider: Provider, frame: Path) -> Iterator[tuple[object, ...]]:
    """A row for each fault that an honest provider can have, and at its end whether all is well."""
    for step in STEPS:
        for kind in Kind:
            for effect in Effect:
                provider.reset()
                if step is Step.FETCH and effect is Effect.DONE:
                    continue  # what the provider fetches has no effect but being had
                if faults.settable(provider, step, kind, effect):
                    with tempfile.TemporaryDirectory() as folder:
                        yield (step, kind, effect, *_tried(provider, frame, Path(folder)))


def _tried(provider: Provider, frame: Path, folder: Path) -> tuple[object, ...]:
    request = GenerationRequest(prompt="make it snow", duration=4, resolution="480p", image=frame)
    told: list[object] = []
    well = True
    for _ in range(2):
        ended = _ended(provider, request, folder)
        billed = len(provider.billed)
        posts, jobs = len(provider.asked(Step.SUBMIT)), len(provider.jobs)
        told += [ended, faults.state(folder) or "nothing", posts, jobs, billed]
        well &= billed <= 1 and (ended != "clip" or (folder / f"{KEY}.mp4").is_file())
    return (*told, well)


def _ended(provider: Provider, request: GenerationRequest, folder: Path) -> str:
    settings = faults.settings(provider, folder / "home").model_copy(update={"store": "provider:"})

    async def run() -> str:
        async with Client(settings, pace=Pace(sleep=faults._soon)) as client:
            job = await client.submit(request, key=KEY)
            await job.wait(directory=folder, deadline_s=3)
            return "clip"

    try:
        return asyncio.run(run())
    except PipelineError as error:
        return error.code.value


# --- kills ---------------------------------------------------------------------------------------

_KILLED = (
    *("killed", "step", "ledger", "jobs", "resume", "ledger", "submit again", "ledger"),
    *("jobs", "billed"),
)


def _kills(provider: Provider) -> Iterator[tuple[object, ...]]:
    """A row for each place between two steps where the process dies by SIGKILL."""
    for point, number, _ in faults.POINTS:
        provider.reset()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            faults.victim(provider, folder, point, number).communicate(timeout=60)
            told: list[object] = [point, number, faults.state(folder), len(provider.jobs)]
            for again in (faults.resume, faults.generate):
                try:
                    ended = "clip" if again(provider, folder).path.is_file() else "no clip"
                except PipelineError as error:
                    ended = error.code.value
                told += [ended, faults.state(folder)]
            billed = len(provider.billed)
            yield (*told, len(provider.jobs), billed, billed <= 1 and "no clip" not in told)


def _show_ledger(provider: Provider) -> None:
    """What a person sees after a kill just behind the request, and what helps."""
    provider.reset()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        faults.victim(provider, folder, "before", 2).communicate(timeout=60)
        settings = {
            "PYTHONPATH": str(faults.ROOT),
            "COLUMNS": "100",
            "EMPIRIOLABS_API_KEY": provider.key,
            "CLIPREADY_BASE_URL": provider.base_url,
            "CLIPREADY_HOME": str(folder / "home"),
        }
        for words in (
            ["jobs"],
            ["jobs", "resume", KEY],
            ["jobs", "show", KEY],
            ["jobs", "resume", KEY, "--job-id", provider.jobs[0].id],
            ["jobs"],
        ):
            print("\n$", " ".join(["clipready", *words]), flush=True)  # noqa: T201
            subprocess.run(
                [sys.executable, "-m", "pipeline", *words],
                cwd=folder,
                env={**os.environ, **settings},
                stderr=subprocess.STDOUT,
                check=False,
            )


if __name__ == "__main__":
    sys.exit(main())
