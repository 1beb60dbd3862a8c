"""From a prompt and files to a finished clip. Uses ``preprocess`` by its front door only.

    from pipeline import Client, GenerationRequest

    async with Client.from_environment() as client:
        job = await client.submit(GenerationRequest(prompt="make it snow", video="IMG_0042.MOV"))
        clip = await job.wait(deadline_s=900)

`SyncClient` is the same without asyncio. docs/submit.md tells what is promised.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.assemble import AssetProgress, Step
    from pipeline.blocking import SyncClient, SyncJob
    from pipeline.client import Client
    from pipeline.draft import Draft
    from pipeline.drift import Difference, refresh
    from pipeline.errors import (
        ApiUnreadable,
        Authentication,
        CostTooHigh,
        DownloadFailed,
        ErrorCode,
        Expired,
        InsufficientCredits,
        InvalidMedia,
        JobFailed,
        LedgerError,
        Moderated,
        PipelineError,
        ProviderRefused,
        RateLimited,
        RequestRejected,
        SettingsInvalid,
        SourceError,
        StillPending,
        StoreError,
        Unavailable,
        UnknownOutcome,
    )
    from pipeline.jobs import Clip, Job
    from pipeline.ledger import Entry, Event, Ledger, State, Total
    from pipeline.price import Quote
    from pipeline.request import GenerationRequest
    from pipeline.settings import Settings

__all__ = [
    "ApiUnreadable",
    "AssetProgress",
    "Authentication",
    "Client",
    "Clip",
    "CostTooHigh",
    "Difference",
    "DownloadFailed",
    "Draft",
    "Entry",
    "ErrorCode",
    "Event",
    "Expired",
    "GenerationRequest",
    "InsufficientCredits",
    "InvalidMedia",
    "Job",
    "JobFailed",
    "Ledger",
    "LedgerError",
    "Moderated",
    "PipelineError",
    "ProviderRefused",
    "Quote",
    "RateLimited",
    "RequestRejected",
    "Settings",
    "SettingsInvalid",
    "SourceError",
    "State",
    "Step",
    "StillPending",
    "StoreError",
    "SyncClient",
    "SyncJob",
    "Total",
    "Unavailable",
    "UnknownOutcome",
    "refresh",
]

# As in `preprocess`: names come in when they are first asked for (PEP 562). The command line is in
# this package too, and its local commands start without network, settings and ledger.
_HOMES = {
    "assemble": ("AssetProgress", "Step"),
    "blocking": ("SyncClient", "SyncJob"),
    "client": ("Client",),
    "draft": ("Draft",),
    "drift": ("Difference", "refresh"),
    "errors": (
        *("ApiUnreadable", "Authentication", "CostTooHigh", "DownloadFailed", "ErrorCode"),
        *("Expired", "InsufficientCredits", "InvalidMedia", "JobFailed", "LedgerError"),
        *("Moderated", "PipelineError", "ProviderRefused", "RateLimited", "RequestRejected"),
        *("SettingsInvalid", "SourceError", "StillPending", "StoreError", "Unavailable"),
        "UnknownOutcome",
    ),
    "jobs": ("Clip", "Job"),
    "ledger": ("Entry", "Event", "Ledger", "State", "Total"),
    "price": ("Quote",),
    "request": ("GenerationRequest",),
    "settings": ("Settings",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
