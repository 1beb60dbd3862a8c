"""The durable record of one preparation."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from preprocess import publish
from preprocess.naming import receipt_path
from preprocess.plan import ImagePlan
from preprocess.report import SCHEMA, Report, plan_data, report_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from preprocess.intent import Intent
    from preprocess.profiles import Profile


@contextmanager
def written(
    report: Report, profile: Profile, intent: Intent, versions: dict[str, object]
) -> Iterator[tuple[Path, Path]]:
    """The receipt of *report*, finished in a temporary beside its output, and its name to be.

    Raises:
        PreparationFailed: it cannot be written.
    """
    assert report.output is not None  # noqa: S101 - only finished work has a receipt
    target = receipt_path(report.output)
    data = receipt_data(report, profile, intent, versions)
    with publish.temporary(target) as path:
        with (
            publish.target_errors(target),
            # A name that is no UTF-8 gets the escape that JSON has for it.
            path.open("w", encoding="utf-8", errors="backslashreplace") as file,
        ):
            json.dump(data, file, ensure_ascii=False, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        yield path, target


def receipt_data(
    report: Report, profile: Profile, intent: Intent, versions: dict[str, object]
) -> dict[str, object]:
    """The receipt as JSON-able data."""
    data = report_data(report)
    image = isinstance(report.plan, ImagePlan)
    del data["receipt"]
    return {
        "type": "receipt",
        "schema": SCHEMA,
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **data,
        "plan": plan_data(report.plan) if report.plan else None,
        "intent": {
            "profile": profile.name,
            "limits": intent.limits.value,
            "role": (intent.role_of_image if image else intent.wanted_role).value,
            "ratio": intent.ratio,
            "fit": (intent.fit_of_image if image else intent.wanted_fit).value,
            "gravity": intent.gravity.value,
            "resolution": intent.resolution.value,
            "window": str(intent.wanted_window),
            "short": intent.short.value,
            "audio": intent.audio.value,
            "verify": intent.verify.value,
        },
        "versions": {"clipready": own_version(), **versions},
    }


def own_version() -> str:
    """The installed version of this package."""
    try:
        return version("clipready")
    except PackageNotFoundError:
        return "0+unknown"
