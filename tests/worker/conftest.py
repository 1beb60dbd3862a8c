"""Every test starts and ends without idle workers, and leaves no descriptor open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from preprocess.worker.client import shutdown
from tests.worker.support import open_fds

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    shutdown()
    before = open_fds()
    yield
    shutdown()
    assert open_fds() <= before
