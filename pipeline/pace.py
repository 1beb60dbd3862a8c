"""Time and chance, handed in, so that a test need not wait for either."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What waits asks here."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    """Seconds from anywhere, never backwards."""
    wall: Callable[[], float] = time.time
    """Unix time in seconds."""
    dice: Callable[[], float] = random.random
    """Even over 0 to 1."""
