"""Small images inside the request itself: nothing is stored, nothing has to be fetched."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

from pipeline.errors import ErrorCode, StoreError
from pipeline.stores.content import Stored, content_of

if TYPE_CHECKING:
    from pipeline.stores.content import OnBytes
    from preprocess import Prepared

MAX_BYTES = 2_000_000
"""Own choice: the provider names no limit; the model's maker takes requests of 64 MB (2026-09)."""


class DataStore:
    """Makes ``data:`` URLs.

    The provider documents only URLs that it can fetch; one client is known to send these.
    """

    async def put(self, prepared: Prepared, *, on_progress: OnBytes | None = None) -> Stored:
        """Encode an image.

        Raises:
            StoreError: it is a clip, which the model's maker takes by URL alone, or too large.
        """
        content = await content_of(prepared)
        if not content.media_type.startswith("image/"):
            msg = f"data: cannot carry {content.media_type}; allowed: images. Use an s3:// store."
            raise StoreError(ErrorCode.STORE_KIND, msg)
        if content.size_bytes > MAX_BYTES:
            msg = (
                f"the image has {content.size_bytes:,} bytes; data: carries at most "
                f"{MAX_BYTES:,}. Use an s3:// store."
            )
            raise StoreError(ErrorCode.STORE_KIND, msg)
        text = base64.b64encode(await asyncio.to_thread(content.path.read_bytes)).decode()
        if on_progress is not None:
            on_progress(content.size_bytes, content.size_bytes)
        return Stored(
            url=f"data:{content.media_type};base64,{text}",
            expires_at=None,
            key=content.name,
            reused=False,
            head_ok=True,
        )
