"""A provider in memory, time that passes at once, and clients for both."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from pipeline.jobs import Jobs
from pipeline.ledger import Ledger
from pipeline.pace import Pace
from pipeline.settings import Settings
from pipeline.transport import Transport

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-empiriolabs-CANARY0123456789"
BODY = {"model": "seedance-2-0-mini", "prompt": "make it snow", "mode": "t2v", "duration": 4}
SECRET = "SIGNATURE-CANARY"  # noqa: S105 - to be looked for
"""Stands in every signed URL of the provider."""
HOST = "provider.test"


def settings(home: Path, **changes: Any) -> Settings:  # noqa: ANN401 - any field of them
    given = {"api_key": KEY, "base_url": f"https://{HOST}", "home": home, "store": None}
    return Settings.model_validate(given | changes)


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(seconds, 0)
        await asyncio.sleep(0)

    def pace(self, dice: float = 0.5) -> Pace:
        return Pace(
            sleep=self.sleep,
            clock=lambda: self.now,
            wall=lambda: 1_780_000_000.0 + self.now,
            dice=lambda: dice,
        )


Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


@dataclass
class Server:
    """What the provider is documented to do with requests and jobs, as one function.

    *faults* take the place of the next answers to a submit; *polls* are the states that a job goes
    through, the last one staying.
    """

    polls: tuple[dict[str, Any], ...] = ({"status": "completed"},)
    faults: list[Callable[[Server, httpx.Request], httpx.Response | None]] = field(
        default_factory=list
    )
    clip: bytes = b""
    forgetful: bool = False
    """Knows no job any more."""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    looks: dict[str, int] = field(default_factory=dict)
    ids: itertools.count[int] = field(default_factory=itertools.count)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        self.requests.append(request)
        if request.method == "POST":
            return self.submitted(request)
        if request.url.host != HOST:
            return httpx.Response(200, content=self.clip)
        return self.polled(request.url.path.rsplit("/", 1)[-1])

    @property
    def posts(self) -> int:
        return sum(request.method == "POST" for request in self.requests)

    def submitted(self, request: httpx.Request) -> httpx.Response:
        if self.faults:
            answer = self.faults.pop(0)(self, request)
            if answer is not None:
                return answer
        return self.accept(request)

    def accept(self, request: httpx.Request) -> httpx.Response:
        job_id = f"job_{next(self.ids)}"
        self.jobs[job_id] = json.loads(request.content)
        answer = {"job_id": job_id, "status": "queued", "poll_url": f"/v1/jobs/{job_id}"}
        return httpx.Response(200, json=answer)

    def polled(self, job_id: str) -> httpx.Response:
        if self.forgetful or job_id not in self.jobs:
            error = {"message": "unknown job", "code": "job_not_found"}
            return httpx.Response(404, json={"error": error})
        look = self.looks[job_id] = self.looks.get(job_id, -1) + 1
        state = dict(self.polls[min(look, len(self.polls) - 1)])
        if state["status"] in {"completed", "succeeded"}:
            url = f"https://cdn.test/{job_id}.mp4?X-Amz-Signature={SECRET}"
            state.setdefault("result", {"data": [{"url": url}]})
        return httpx.Response(200, json={"job_id": job_id, **state})


def engine(
    home: Path,
    handler: Handler,
    *,
    time: Time | None = None,
    ledger: Ledger | None = None,
    **changes: Any,  # noqa: ANN401 - settings
) -> Jobs:
    """The engine behind a client, against a server in memory."""
    chosen = settings(home, **changes)
    transport = Transport(
        chosen, pace=(time or Time()).pace(), connection=httpx.MockTransport(handler)
    )
    return Jobs(chosen, transport, ledger or Ledger(home))
