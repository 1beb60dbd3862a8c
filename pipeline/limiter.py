"""No more requests in a minute than the account may make."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.pace import Pace

_WINDOW_S = 60.0
_JITTER_S = 0.5
"""So that several processes of one account, held back together, do not come back together."""


class Limiter:
    """A sliding minute over the requests of this process, first come first served.

    The limit is the account's: processes that share one have to share it out by their settings.
    """

    def __init__(self, per_minute: int, pace: Pace) -> None:
        self._per_minute = per_minute
        self._pace = pace
        self._sent: deque[float] = deque()
        self._turn = asyncio.Lock()

    async def acquire(self) -> None:
        """Wait until one more request may go out."""
        async with self._turn:
            while (wait := self._wait_s()) > 0:
                await self._pace.sleep(wait + _JITTER_S * self._pace.dice())
            self._sent.append(self._pace.clock())

    def _wait_s(self) -> float:
        now = self._pace.clock()
        while self._sent and now - self._sent[0] >= _WINDOW_S:
            self._sent.popleft()
        return self._sent[0] + _WINDOW_S - now if len(self._sent) >= self._per_minute else 0.0
