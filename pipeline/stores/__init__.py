"""Where prepared files are put, so that the provider can fetch them; chosen by a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pipeline.errors import ErrorCode, StoreError

if TYPE_CHECKING:
    from pipeline.stores.content import OnBytes, Stored
    from pipeline.transport import Transport
    from preprocess import Prepared

_OBJECTS = ("s3", "gs", "az")
_EXAMPLES = (
    "CLIPREADY_STORE=s3://my-bucket/clipready with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
    "(and AWS_ENDPOINT_URL where it is not Amazon's), or CLIPREADY_STORE=provider: to try the "
    "provider's own upload"
)


class Store(Protocol):
    """Takes prepared files, and nothing else."""

    async def put(self, prepared: Prepared, *, on_progress: OnBytes | None = None) -> Stored:
        """Put a file there, unless it is there, and see that it can be fetched.

        *on_progress* is told bytes sent and bytes in all.

        Raises:
            StoreError: it could not be done.
        """
        ...


def open_store(url: str | None, *, transport: Transport | None = None) -> Store:
    """The store that *url* names: ``s3://``, ``gs://``, ``az://``, ``provider:`` or ``data:``.

    Nothing is sent yet. *transport* is what ``provider:`` speaks through.

    Raises:
        StoreError: none is named, or it cannot be used as the settings are.
    """
    if url is None or not url.strip():
        msg = f"no store is set, so the provider could not fetch the files; set {_EXAMPLES}"
        raise StoreError(ErrorCode.STORE_MISSING, msg)
    scheme, colon, rest = url.strip().partition(":")
    if scheme in _OBJECTS and rest.startswith("//"):
        from pipeline.stores.objects import ObjectStore  # noqa: PLC0415 - obstore is 20 MB

        return ObjectStore(url.strip())
    if colon and not rest and scheme == "data":
        from pipeline.stores.data import DataStore  # noqa: PLC0415 - the one that is wanted

        return DataStore()
    if colon and not rest and scheme == "provider" and transport is not None:
        from pipeline.stores.provider import ProviderStore  # noqa: PLC0415 - as above

        return ProviderStore(transport)
    msg = (
        f"a store cannot be named {scheme + colon + '…' if rest else url!r}; allowed: "
        f"s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, provider: and data:. "
        f"Set {_EXAMPLES}"
    )
    raise StoreError(ErrorCode.STORE_URL, msg)
