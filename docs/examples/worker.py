"""A worker that makes clips of orders, several at a time.

    ORDERS=/var/lib/orders python -m docs.examples.worker

It may be killed at any moment and started again: an order's id is the key of its job, so the same
job goes on, and is not paid for twice. The other settings are those of docs/submit.md.
"""

import asyncio
import os
from pathlib import Path

from docs.examples.orders import Order, Orders, Outcome, State
from pipeline import (
    Client,
    DownloadFailed,
    Expired,
    GenerationRequest,
    InvalidMedia,
    Moderated,
    ProviderRefused,
    RateLimited,
    RequestRejected,
    StillPending,
    Unavailable,
    UnknownOutcome,
)
from preprocess import ClipreadyError

AT_ONCE = 4
MAX_COST_USD = 8
PAUSE_S = 1.0

TRY_AGAIN = (RateLimited, Unavailable, StillPending, DownloadFailed)
"""Nothing is lost, and nothing will be paid twice: the same order is simply taken up again."""
UNKNOWN = (UnknownOutcome, Expired)
THEIRS = (Moderated, InvalidMedia, ProviderRefused)
"""Something about what the customer sent."""


async def fulfil(client: Client, orders: Orders, order: Order) -> Outcome | None:
    """Make the clip of an order. ``None``: it has to be taken up again."""
    folder = orders.folder(order.id)
    request = GenerationRequest(prompt=order.prompt, video=folder / "upload")
    try:
        job = await client.submit(request, key=str(order.id), max_cost_usd=MAX_COST_USD)
        await job.wait(directory=folder)
    except TRY_AGAIN:
        return None
    except RequestRejected as rejected:
        return Outcome(state=State.REJECTED, told=[each.sentence() for each in rejected.reasons])
    except ClipreadyError as error:
        return Outcome(state=_state(error), told=[str(error)])
    return Outcome(state=State.DONE)


def _state(error: ClipreadyError) -> State:
    if isinstance(error, UNKNOWN):
        return State.UNKNOWN
    return State.REJECTED if isinstance(error, THEIRS) else State.FAILED


async def work(client: Client, orders: Orders) -> None:
    """Take up orders as they come, for ever."""
    slots, busy = asyncio.Semaphore(AT_ONCE), set[Order]()

    async def one(order: Order) -> None:
        async with slots:
            outcome = await fulfil(client, orders, order)
        if outcome is None:
            await asyncio.sleep(PAUSE_S)
        else:
            orders.finish(order, outcome)
        busy.discard(order)

    async with asyncio.TaskGroup() as tasks:
        while True:
            for order in orders.waiting():
                if order not in busy:
                    busy.add(order)
                    tasks.create_task(one(order))
            await asyncio.sleep(PAUSE_S)


async def main() -> None:
    """Run until stopped."""
    async with Client.from_environment() as client:
        await work(client, Orders(Path(os.environ["ORDERS"])))


if __name__ == "__main__":
    asyncio.run(main())
