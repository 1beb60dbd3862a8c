"""The provider's own upload, ``POST /v1/files/upload``, which its newer pages leave out.

Neither the field nor the answer is documented (2026), so the answer is read tolerantly.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.errors import ErrorCode, StoreError
from pipeline.refusals import refusal
from pipeline.stores.content import Stored, content_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.stores.content import OnBytes
    from pipeline.transport import Transport
    from preprocess import Prepared

_PATH = "/v1/files/upload"
_FIELD = "file"
_WITHDRAWN = (404, 405, 410)
_KEYS = ("url", "file_url", "signed_url", "public_url", "path", "storage_path", "uri", "file_id")
"""The best first."""
_ENDS = ("expires_at", "expires")
_MAX_DEPTH = 4
_GRACE_S, _SLOWEST_BYTES_PER_S = 60.0, 128 << 10


class ProviderStore:
    """Puts files where the provider keeps its own."""

    def __init__(self, transport: Transport) -> None:
        """Send through *transport*."""
        self._transport = transport

    async def put(self, prepared: Prepared, *, on_progress: OnBytes | None = None) -> Stored:
        """Upload a file. Costs nothing, so it may be repeated.

        Raises:
            StoreError: there is no such upload any more, or its answer names no file.
            PipelineError: the provider refused, or cannot be reached.
        """
        content = await content_of(prepared)
        deadline_s = _GRACE_S + content.size_bytes / _SLOWEST_BYTES_PER_S
        with _Counted(content.path.open("rb", buffering=0), on_progress) as file:
            files = {_FIELD: (content.name, file, content.media_type)}
            answer = await self._transport.upload(_PATH, files, deadline_s=deadline_s)
        if answer.status in _WITHDRAWN:
            msg = (
                f"the provider has no upload any more (HTTP {answer.status}); use a store of your "
                "own, as in CLIPREADY_STORE=s3://my-bucket/clipready"
            )
            raise StoreError(ErrorCode.STORE_UNREACHABLE, msg, status=answer.status)
        if not answer.is_success:
            raise refusal(answer)
        found = dict(_named(answer.data))
        url = next((found[key] for key in _KEYS if key in found), None)
        if url is None:
            msg = "the provider took the file and did not say where it is; use an s3:// store"
            raise StoreError(ErrorCode.STORE_ANSWER, msg, status=answer.status)
        return Stored(
            url=url,
            expires_at=_end(found),
            key=found.get("file_id", content.name),
            reused=False,
            head_ok=True,
        )


def _named(data: object, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text in an answer by its key; outer ones last, so that they count."""
    if isinstance(data, list) and depth < _MAX_DEPTH:
        for each in data:
            yield from _named(each, depth + 1)
    if isinstance(data, dict) and depth < _MAX_DEPTH:
        for value in data.values():
            yield from _named(value, depth + 1)
        for key, value in data.items():
            if isinstance(value, str) and value.strip():
                yield str(key), value.strip()


def _end(found: dict[str, str]) -> datetime | None:
    for key in _ENDS:
        try:
            ends = datetime.fromisoformat(found[key])
        except (KeyError, ValueError):
            continue
        return ends if ends.tzinfo else ends.replace(tzinfo=UTC)
    return None


class _Counted(io.BufferedReader):
    """Tells how far it was read, also when it is read again from the start."""

    def __init__(self, file: io.FileIO, on_progress: OnBytes | None) -> None:
        super().__init__(file)
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._on_progress = on_progress

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if self._on_progress is not None and chunk:
            self._on_progress(self.tell(), self._size)
        return chunk
