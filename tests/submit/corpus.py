"""Whether the simulated provider takes what `prepare` accepts: real files, in every mode.

    python -m tests.submit.corpus FOLDER [--every N] [--generated N]

FOLDER holds the corpus. Each file goes as each medium through each mode: prepared, stored on a real
S3 server, submitted, waited for. Then the original of what was taken is submitted as it is. With
``--every 5`` only each fifth file; with ``--generated 2`` also two clips of each group of
`fixtures.recipes`. Ends with 1 if the provider refused anything that was prepared.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import httpx

from fixtures import object_store, recipes
from fixtures.clips import make_clip
from fixtures.provider import Behaviour, Provider, Upload
from pipeline import (
    Client,
    GenerationRequest,
    InvalidMedia,
    JobFailed,
    Moderated,
    ProviderRefused,
    RequestRejected,
    Settings,
)
from preprocess import ClipreadyError, Intent, Short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PARTS = ("audio", "hostile", "image", "video")
MODES = (
    ("edit", ("video",)),
    ("extend", ("video",)),
    ("reference", ("video",)),
    ("i2v_first", ("image",)),
    ("i2v_both", ("image", "image_end")),
    ("reference", ("image",)),
)
_INTENT = Intent(short=Short.HOLD)
"""Most clips of the corpus are shorter than 2 s."""
_MANY = 10**6
_PATIENCE_S = 30


@dataclass(slots=True)
class Count:
    """What became of the requests of one group of files."""

    files: int = 0
    requests: int = 0
    refused_here: int = 0
    """By us, with rules, before anything was sent."""
    failed: list[str] = field(default_factory=list)
    """Neither: a fault of ours, of the store, or a provider that does not come to an end."""
    taken: int = 0
    refused_there: list[str] = field(default_factory=list)
    """Prepared, and refused by the provider all the same."""
    originals_taken: int = 0
    originals_refused: int = 0

    @property
    def sent(self) -> int:
        """Requests whose media were prepared."""
        return self.taken + len(self.refused_there)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A provider, and how it is reached."""

    provider: Provider
    settings: Settings

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Bench]:
        """Provider and store on this machine, and an empty ledger."""
        behaviour = Behaviour(
            requests_per_minute=_MANY,
            uploads=Upload.PATH,
            balance_usd=Decimal(_MANY),
            queued_s=0,
            working_s=0,
        )
        with (
            tempfile.TemporaryDirectory() as home,
            object_store.running() as store,
            Provider.running(behaviour) as provider,
            patch.dict(os.environ, store.environment),
        ):
            given = {
                "api_key": provider.key,
                "base_url": provider.base_url,
                "home": home,
                "store": store.url,
                "requests_per_minute": _MANY,
                "poll_interval_s": 0.02,
            }
            yield cls(provider=provider, settings=Settings.model_validate(given))

    async def count(self, files: Sequence[Path]) -> Count:
        """Take each file through every mode."""
        count = Count(files=len(files))
        headers = {"Authorization": f"Bearer {self.provider.key}"}
        async with (
            Client(self.settings) as client,
            httpx.AsyncClient(
                base_url=self.provider.base_url, headers=headers, trust_env=False, timeout=60
            ) as raw,
        ):
            for path in files:
                for mode, fields in MODES:
                    count.requests += 1
                    if await self._prepared_is_taken(client, path, mode, fields, count):
                        await self._original_is_taken(raw, path, mode, fields, count)
        return count

    async def _prepared_is_taken(
        self, client: Client, path: Path, mode: str, fields: tuple[str, ...], count: Count
    ) -> bool:
        name = f"{path.name} in {mode} as {' and '.join(fields)}"
        media = dict.fromkeys(fields, path)
        request = GenerationRequest(prompt="make it snow", mode=mode, duration=4, **media)  # type: ignore[arg-type]
        with tempfile.TemporaryDirectory() as folder:
            try:
                job = await client.submit(request, intent=_INTENT)
                await job.wait(deadline_s=_PATIENCE_S, directory=folder)
            except RequestRejected:
                count.refused_here += 1
            except (InvalidMedia, Moderated, ProviderRefused, JobFailed) as refused:
                count.refused_there.append(f"{name}: {refused}")
            except ClipreadyError as failed:
                count.failed.append(f"{name}: {failed}")
            else:
                count.taken += 1
                return True
        return False

    async def _original_is_taken(
        self, raw: httpx.AsyncClient, path: Path, mode: str, fields: tuple[str, ...], count: Count
    ) -> None:
        media = {}
        for each in fields:
            kind = f"{each.partition('_')[0]}/any"
            form = {"file": (path.name, await asyncio.to_thread(path.read_bytes), kind)}
            uploaded = await raw.post("/v1/files/upload", files=form)
            media[each] = uploaded.raise_for_status().json()["path"]
        body = {"model": "seedance-2-0-mini", "prompt": "make it snow", "mode": mode, **media}
        answer = await raw.post("/v1/videos/generations", json=body)
        job = answer.raise_for_status().json()
        async with asyncio.timeout(_PATIENCE_S):
            while job["status"] in {"queued", "processing"}:
                await asyncio.sleep(0.02)
                job = (await raw.get(f"/v1/jobs/{job['job_id']}")).raise_for_status().json()
        if job["status"] == "completed":
            count.originals_taken += 1
        else:
            count.originals_refused += 1


def generated(number: int, folder: Path) -> list[Path]:
    """*number* clips of each group of the recipes, made anew."""
    groups = (recipes.KEEP, recipes.REWRAP, recipes.CUT, recipes.ENCODE, recipes.TIMED)
    specs = [spec for group in groups for spec in group[:number]]
    return [make_clip(spec, folder / f"{spec.name}.{spec.container.value}") for spec in specs]


def main() -> int:
    """Print the table; 1 if something that was prepared is refused, or could not be prepared."""
    parser = argparse.ArgumentParser(prog="python -m tests.submit.corpus", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--generated", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Bench.running() as bench:
        groups = {part: sorted((chosen.folder / part).iterdir())[:: chosen.every] for part in PARTS}
        if chosen.generated:
            groups["generated"] = generated(chosen.generated, Path(scratch))
        print(HEADING)  # noqa: T201
        counts = []
        for name, files in groups.items():
            counts.append(asyncio.run(bench.count(files)))
            print(row(name, counts[-1]), flush=True)  # noqa: T201
    print(row("all", total(counts)))  # noqa: T201
    troubles = [each for count in counts for each in (*count.refused_there, *count.failed)]
    print(*troubles, sep="\n")  # noqa: T201
    return 1 if troubles else 0


HEADING = (
    f"{'':<10}{'files':>7}{'requests':>10}{'refused here':>14}{'failed':>8}{'prepared':>10}"
    f"{'refused there':>15}{'originals refused':>19}"
)


def row(name: str, count: Count) -> str:
    """A line under `HEADING`."""
    originals = f"{count.originals_refused} of {count.originals_refused + count.originals_taken}"
    return (
        f"{name:<10}{count.files:>7}{count.requests:>10}{count.refused_here:>14}"
        f"{len(count.failed):>8}{count.sent:>10}{len(count.refused_there):>15}{originals:>19}"
    )


def total(counts: Sequence[Count]) -> Count:
    """All of them together."""
    whole = Count()
    for each in counts:
        whole.files += each.files
        whole.requests += each.requests
        whole.refused_here += each.refused_here
        whole.failed += each.failed
        whole.taken += each.taken
        whole.refused_there += each.refused_there
        whole.originals_taken += each.originals_taken
        whole.originals_refused += each.originals_refused
    return whole


if __name__ == "__main__":
    sys.exit(main())
