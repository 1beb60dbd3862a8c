"""A service that takes uploads and hands clips out.

    ORDERS=/var/lib/orders uvicorn docs.examples.service:app

    POST /clips?prompt=make+it+snow    the body is the file; answers 202 with the order's id
    GET  /clips/ID                     its state, and what is wrong with it
    GET  /clips/ID/clip                the clip

It looks into no upload, has no key of the provider and waits for nothing: the worker does all that.
"""

import os
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse

from docs.examples.orders import Order, Orders, Outcome, State, TooLargeError

MAX_BYTES = 500 << 20
MAX_PROMPT = 2000

app = FastAPI()
orders = Orders(Path(os.environ["ORDERS"]))


@app.post("/clips", status_code=202)
async def place(
    request: Request, prompt: Annotated[str, Query(min_length=1, max_length=MAX_PROMPT)]
) -> Order:
    """Take an order."""
    try:
        return await orders.place(prompt, request.stream(), MAX_BYTES)
    except TooLargeError:
        raise HTTPException(413, f"at most {MAX_BYTES} bytes") from None


@app.get("/clips/{order}")
def state(order: UUID) -> Outcome:
    """Say how an order stands."""
    outcome = orders.outcome(order)
    if outcome is None:
        raise HTTPException(404, "no such order")
    return outcome


@app.get("/clips/{order}/clip")
def clip(order: UUID) -> FileResponse:
    """Hand a finished clip out."""
    if state(order).state is not State.DONE:
        raise HTTPException(409, "there is no clip, or not yet")
    return FileResponse(orders.folder(order) / f"{order}.mp4", media_type="video/mp4")
