"""What ``--json`` prints: one object per line, as docs/json.md describes. Pure but for `write`."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from preprocess import SCHEMA, Rejection, decision_data, facts_data, report_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.terminal.request import Task
    from pipeline.terminal.work import Look
    from preprocess import Problem, Profile, Progress, Report

Record = dict[str, object]


def write(record: Record) -> None:
    """Print one line, at once: who reads it may be waiting.

    ASCII, so that a name of any bytes passes through any encoding.
    """
    sys.stdout.write(json.dumps(record, allow_nan=False) + "\n")
    sys.stdout.flush()


def _head(kind: str, task: Task) -> Record:
    return {"type": kind, "schema": SCHEMA, "index": task.index, "input": task.name}


def probe_record(task: Task, found: Look) -> Record:
    """The final object of one input of ``probe``."""
    return {**_head("probe", task), **_facts(found), **_error(found.problem)}


def check_record(task: Task, found: Look) -> Record:
    """The final object of one input of ``check``."""
    return {
        **_head("check", task),
        "accepted": found.accepted,
        "route": found.plan.route.label if found.plan else None,
        "reasons": _decision(found)["reasons"],
        **_error(found.problem),
        **_facts(found),
    }


def plan_record(task: Task, found: Look) -> Record:
    """The final object of one input of ``plan``."""
    return {
        **_head("plan", task),
        **_decision(found),
        "command": found.command,
        "output": str(found.output) if found.output else None,
        **_error(found.problem),
        **_facts(found),
    }


def _decision(found: Look) -> Record:
    return decision_data(found.plan or Rejection(reasons=found.reasons))


def result_record(task: Task, report: Report) -> Record:
    """The final object of one input of ``normalize``."""
    return {**_head("result", task), **report_data(report), "input": task.name}


def progress_record(task: Task, progress: Progress) -> Record:
    """How far ``normalize`` has come with one input."""
    return {
        **_head("progress", task),
        "stage": progress.stage.value,
        "route": progress.route.label if progress.route is not None else None,
        "fraction": round(progress.fraction, 4),
    }


def profile_record(profile: Profile) -> Record:
    """A profile: what it is for, and every limit with its sources."""
    return {
        "type": "profile",
        "schema": SCHEMA,
        "name": profile.name,
        "provider": profile.provider,
        "model": profile.model,
        "limits": [
            {"key": each.key, "text": each.text, "sources": list(each.sources), "date": each.date}
            for each in profile.limits
        ],
        "sources": {
            key: {"document": source.document, "date": source.date}
            for key, source in profile.sources.items()
        },
    }


def _facts(found: Look) -> Record:
    return {"facts": facts_data(found.facts) if found.facts else None}


def _error(problem: Problem | None) -> Record:
    if problem is None:
        return {"error": None}
    return {"error": {"code": problem.code, "message": problem.message, "detail": problem.detail}}


class JsonVoice:
    """One JSON object a line on stdout, and nothing else there."""

    def probed(self, task: Task, found: Look) -> None:
        """Write the ``probe`` object."""
        write(probe_record(task, found))

    def checked(self, task: Task, found: Look) -> None:
        """Write the ``check`` object."""
        write(check_record(task, found))

    def planned(self, task: Task, found: Look) -> None:
        """Write the ``plan`` object."""
        write(plan_record(task, found))

    @contextmanager
    def working(self, group: Sequence[Task], count: int) -> Iterator[Callable[[Progress], None]]:  # noqa: ARG002 - people want the count
        """Write ``progress`` objects."""
        yield lambda progress: write(progress_record(group[progress.index], progress))

    def prepared(self, task: Task, report: Report) -> None:
        """Write the ``result`` object."""
        write(result_record(task, report))

    def ended(self, results: Sequence[tuple[Task, Report]]) -> None:
        """Write nothing: every result was told when it was there."""

    def listed(self, profiles: Sequence[Profile]) -> None:
        """Write a ``profile`` object for each."""
        for profile in profiles:
            write(profile_record(profile))

    def described(self, profile: Profile) -> None:
        """Write the ``profile`` object."""
        write(profile_record(profile))
