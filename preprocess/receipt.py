"""The durable record of one preparation."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from preprocess import publish
from preprocess.intent import Intent
from preprocess.naming import receipt_path
from preprocess.profiles import Profile
from preprocess.report import SCHEMA, Report, plan_data, report_data


def write_receipt(
    report: Report,
    profile: Profile,
    intent: Intent,
    versions: dict[str, object],
    *,
    force: bool,
) -> Path:
    """Write the receipt of *report* beside its output.

    Raises:
        PreparationFailed: it cannot be written.
    """
    assert report.output is not None  # noqa: S101 - only finished work has a receipt
    target = receipt_path(report.output)
    data = receipt_data(report, profile, intent, versions)
    with publish.temporary(target) as path:
        with publish.target_errors(target), path.open("w", encoding="utf-8") as file:
            json.dump(data, file, ensure_ascii=False, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        publish.publish(path, target, force=force)
    return target


def receipt_data(
    report: Report, profile: Profile, intent: Intent, versions: dict[str, object]
) -> dict[str, object]:
    """The receipt as JSON-able data."""
    data = report_data(report)
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
            "role": intent.wanted_role.value,
            "ratio": intent.ratio,
            "fit": intent.wanted_fit.value,
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
