"""What ``--json`` prints of submissions and jobs, as docs/json.md describes. Pure."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.terminal.records import Record, write
from pipeline.terminal.submit.outcome import left_text
from preprocess import SCHEMA, Rejection, decision_data, facts_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.drift import Difference
    from pipeline.errors import Failure
    from pipeline.ledger import Entry
    from pipeline.price import Quote
    from pipeline.terminal.submit.jobs import Listing, Story
    from pipeline.terminal.submit.outcome import Trouble
    from pipeline.terminal.submit.steps import Line
    from pipeline.terminal.submit.work import Ended
    from preprocess import Profile


def _head(kind: str) -> Record:
    return {"type": kind, "schema": SCHEMA}


def step_record(line: Line) -> Record:
    """How far one step of a submission has come."""
    return {
        **_head("step"),
        "step": line.step.value,
        "field": line.field,
        "done": line.done,
        "note": line.note or None,
        "fraction": None if line.fraction is None else round(line.fraction, 4),
        "sent_bytes": line.sent_bytes,
        "total_bytes": line.total_bytes,
        "key": line.key,
    }


def submission_record(ended: Ended) -> Record:
    """The final object of ``submit`` and ``jobs resume``."""
    entry, clip = ended.entry, ended.clip
    return {
        **_head("submission"),
        "status": ended.status.value,
        "key": entry.key if entry else None,
        "state": entry.state.value if entry else None,
        "job_id": entry.job_id if entry else None,
        "output": str(clip.path) if clip else None,
        "output_sha256": entry.output_sha256 if entry and clip else None,
        "output_facts": facts_data(clip.facts) if clip else None,
        "price": _price(ended.quote),
        "reasons": _reasons(ended.trouble),
        "error": _error(ended.trouble),
    }


def draft_record(ended: Ended) -> Record:
    """The final object of ``submit --dry-run``."""
    draft = ended.draft
    return {
        **_head("draft"),
        "status": ended.status.value,
        "key": draft.key if draft else None,
        "body": dict(draft.body) if draft else None,
        "price": _price(ended.quote),
        "media": {name: decision_data(plan) for name, plan in draft.plans.items()} if draft else {},
        "missing": [
            {"code": each.code.value, "message": each.message}
            for each in (draft.missing if draft else ())
        ],
        "sent_before": ended.entry is not None,
        "reasons": _reasons(ended.trouble),
        "error": _error(ended.trouble),
    }


def job_record(entry: Entry, story: Story | None = None) -> Record:
    """One job of the ledger; its steps where they were asked for."""
    return {
        **_head("job"),
        "key": entry.key,
        "state": entry.state.value,
        "request": dict(entry.request),
        "max_usd": entry.cost_usd,
        "job_id": entry.job_id,
        "output": entry.output,
        "output_sha256": entry.output_sha256,
        "failure": _failure(entry.error) if entry.error else None,
        "created": instant(entry.created),
        "updated": instant(entry.updated),
        "history": [
            {"at": instant(each.at), "state": each.state.value, "note": each.note}
            for each in (story.history if story else ())
        ],
        "error": None,
    }


def jobs_record(found: Listing) -> Record:
    """The last object of ``jobs``: how many there are, and what they may have cost."""
    return {
        **_head("jobs"),
        "totals": {
            state.value: {"jobs": total.jobs, "max_usd": round(total.cost_usd, 6)}
            for state, total in found.totals.items()
        },
        "error": None,
    }


def comparison_record(profile: Profile, differences: Sequence[Difference]) -> Record:
    """The object of ``profiles refresh``."""
    return {
        **_head("comparison"),
        "profile": profile.name,
        "model": profile.model,
        "differences": [
            {"what": each.what, "profile": each.profile, "provider": each.provider}
            for each in differences
        ],
        "error": None,
    }


def trouble_record(kind: str, trouble: Trouble) -> Record:
    """In the place of an object of type *kind* that there is not."""
    return {**_head(kind), "error": _error(trouble)}


def _price(quote: Quote | None) -> Record | None:
    if quote is None:
        return None
    return {
        "usd_per_s": float(quote.usd_per_s),
        "min_output_s": quote.min_output_s,
        "max_output_s": quote.max_output_s,
        "max_input_s": float(quote.max_input_s),
        "min_usd": round(float(quote.min_usd), 6),
        "max_usd": round(float(quote.max_usd), 6),
    }


def _reasons(trouble: Trouble | None) -> object:
    return decision_data(Rejection(reasons=trouble.reasons if trouble else ()))["reasons"]


def _error(trouble: Trouble | None) -> Record | None:
    if trouble is None:
        return None
    return {
        "code": trouble.code,
        "message": trouble.message,
        "detail": trouble.detail,
        "rule": trouble.rule,
        "raw_code": trouble.raw_code,
        "raw_message": trouble.raw_message,
        "http_status": trouble.http_status,
    }


def _failure(failure: Failure) -> Record:
    return {
        "code": failure.code,
        "message": failure.message,
        "rule": failure.rule,
        "raw_code": failure.raw_code,
        "raw_message": failure.raw_message,
        "http_status": failure.status,
    }


def instant(unix_s: float) -> str:
    """A time of the ledger in ISO 8601, UTC."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")


class JsonVoice:
    """One JSON object a line on stdout, and nothing else there."""

    @contextmanager
    def following(self) -> Iterator[Callable[[Line], None]]:
        """Write ``step`` objects."""
        yield lambda line: write(step_record(line))

    def drafted(self, ended: Ended) -> None:
        """Write the ``draft`` object."""
        write(draft_record(ended))

    def ended(self, ended: Ended) -> None:
        """Write the ``submission`` object."""
        write(submission_record(ended))

    def left(self, entry: Entry) -> None:
        """Say on stderr how a job that was left goes on: no object is final."""
        sys.stderr.write(f"clipready: {left_text(entry)}\n")

    def listed(self, found: Listing) -> None:
        """Write a ``job`` object for each, then the ``jobs`` object."""
        for entry in found.entries:
            write(job_record(entry))
        write(jobs_record(found))

    def shown(self, story: Story) -> None:
        """Write the ``job`` object, with its history."""
        write(job_record(story.entry, story))

    def forgotten(self, story: Story) -> None:
        """Write the ``job`` object as it was, with its history."""
        write(job_record(story.entry, story))

    def compared(self, profile: Profile, differences: Sequence[Difference]) -> None:
        """Write the ``comparison`` object."""
        write(comparison_record(profile, differences))

    def troubled(self, kind: str, trouble: Trouble) -> None:
        """Write an object of type *kind* with the error alone."""
        write(trouble_record(kind, trouble))
