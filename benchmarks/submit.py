"""``python -m benchmarks.submit``: what submitting costs beside preparing, transfer and waiting.

Provider and S3 server are on this machine, and the provider's own work takes no time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import uuid
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import httpx

from benchmarks.pairs import HEADING, compare, show
from benchmarks.stills import photo
from fixtures import object_store
from fixtures.clips import make_clip
from fixtures.demo import phone_clip
from fixtures.provider import Behaviour, Provider
from fixtures.spec import ClipSpec
from pipeline import Client, GenerationRequest, Settings
from pipeline.assemble import assemble, plan_media
from pipeline.request import resolve
from pipeline.stores import Store, open_store
from preprocess import Intent, Target, decode_clip_async, load_profile, prepare_file_async

if TYPE_CHECKING:
    from preprocess import Profile

_MANY = 10**6
_POLL_S = 0.01
_OVERHEAD_MS = 100
_OVERLAP = 1.15
_PROMPT = "make it snow"


def main() -> int:
    """Measure and print; 1 if something wanted is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.submit")
    parser.add_argument("--runs", type=int, default=11, help="pairs for each line (default 11)")
    runs = parser.parse_args().runs
    behaviour = Behaviour(
        requests_per_minute=_MANY, balance_usd=Decimal(_MANY), queued_s=0, working_s=0
    )
    with (
        tempfile.TemporaryDirectory() as scratch,
        object_store.running() as store,
        Provider.running(behaviour) as provider,
        patch.dict(os.environ, store.environment),
        asyncio.Runner() as runner,
    ):
        folder = Path(scratch)
        bench = _Bench(runner, folder, provider, open_store(store.url))
        print(HEADING)
        good = [bench.overhead(runs), bench.overlap(max(3, runs // 2))]
    return 0 if all(good) else 1


@dataclass(slots=True)
class _Bench:
    runner: asyncio.Runner
    folder: Path
    provider: Provider
    store: Store

    # --- overhead --------------------------------------------------------------------------------

    def overhead(self, runs: int) -> bool:
        """The whole stage, against its parts one after the other, written by hand."""
        spec = ClipSpec(name="fine", frames=150, width=854, height=480)
        clip = make_clip(spec, self.folder / "fine.mp4")
        settings = Settings.model_validate(
            {
                "api_key": self.provider.key,
                "base_url": self.provider.base_url,
                "home": self.folder / "home",
                "requests_per_minute": _MANY,
                "poll_interval_s": _POLL_S,
            }
        )
        client = Client(settings, store=self.store)
        raw = httpx.AsyncClient(
            base_url=self.provider.base_url,
            headers={"Authorization": f"Bearer {self.provider.key}"},
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        pair = compare(
            "submit and wait",
            lambda: self.runner.run(self._ours(client, clip)),
            lambda: self.runner.run(self._by_hand(raw, clip)),
            against="prepare, store, post, poll, download, decode by hand",
            wanted=f"<= {_OVERHEAD_MS} ms more",
            at_most=None,
            runs=runs,
        )
        self.runner.run(client.aclose())
        self.runner.run(raw.aclose())
        show(pair)
        more_ms = 1000 * (pair.ours.wall_s - pair.theirs.wall_s)
        print(f"  that is {more_ms:.0f} ms more")
        return more_ms <= _OVERHEAD_MS

    async def _ours(self, client: Client, clip: Path) -> None:
        request = GenerationRequest(prompt=_PROMPT, video=clip, duration=4)
        job = await client.submit(request, key=uuid.uuid4().hex)
        await job.wait(directory=self.folder)

    async def _by_hand(self, raw: httpx.AsyncClient, clip: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            target = Target(directory=Path(folder))
            prepared = await prepare_file_async(clip, target=target)
            stored = await self.store.put(prepared)
            body = {"model": "seedance-2-0-mini", "mode": "edit", "prompt": _PROMPT}
            answer = await raw.post("/v1/videos/generations", json={**body, "video": stored.url})
            job: dict[str, Any] = answer.raise_for_status().json()
            path = f"/v1/jobs/{job['job_id']}"
            while job["status"] not in {"completed", "failed"}:
                job = (await raw.get(path)).json()
                if job["status"] != "completed":
                    await asyncio.sleep(_POLL_S)
            result = Path(folder) / "result.mp4"
            result.write_bytes((await raw.get(job["result"]["data"][0]["url"])).content)
            await decode_clip_async(result)

    # --- overlap ---------------------------------------------------------------------------------

    def overlap(self, runs: int) -> bool:
        """Two images and a clip of one request, against the clip alone."""
        frames = {name: photo(self.folder, "12 MP") for name in ("image", "image_end")}
        clip = phone_clip(self.folder / "phone.mov", seconds=6)
        profile = self._with_three_media()
        pair = compare(
            "two images and a clip",
            lambda: self.runner.run(self._assembled(profile, {"video": clip, **frames})),
            lambda: self.runner.run(self._assembled(profile, {"video": clip})),
            against="the clip alone, which takes longest",
            wanted=f"<= {_OVERLAP}",
            at_most=_OVERLAP,
            runs=runs,
        )
        show(pair)
        return bool(pair.good)

    def _with_three_media(self) -> Profile:
        """No mode of the provider takes a clip and two frames; one of ours does."""
        text = resources.files("preprocess.profiles").joinpath("seedance-2-0-mini.toml").read_text()
        video = 'media.video = { use = "required", role = "edit_video" }\n'
        frames = "".join(
            f'media.{name} = {{ use = "optional", role = "{role}" }}\n'
            for name, role in (("image", "first_frame"), ("image_end", "last_frame"))
        )
        reference = 'media.image = { use = "optional", role = "reference_image", proven = false }\n'
        text = text.replace(video, video + frames).replace(reference, "")
        path = self.folder / "three.toml"
        path.write_text(text)
        return load_profile(str(path))

    async def _assembled(self, profile: Profile, media: dict[str, Path]) -> None:
        request = GenerationRequest(prompt=_PROMPT, mode="edit", **media)  # type: ignore[arg-type]
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder, intent = Path(name), Intent(profile=str(self.folder / "three.toml"))
            planned = await plan_media(resolve(request, profile), folder, intent=intent)
            await assemble(planned, self.store, folder)


if __name__ == "__main__":
    sys.exit(main())
