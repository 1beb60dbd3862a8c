"""What these commands tell people: data on stdout, steps, trouble and advice on stderr."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline.terminal import views
from pipeline.terminal.console import console, show
from pipeline.terminal.facts_view import fact_lines
from pipeline.terminal.submit.outcome import Status, left_text, next_step, shown_key
from pipeline.terminal.submit.stages import Stages
from pipeline.terminal.text import clean, clean_lines, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from pipeline.draft import Draft
    from pipeline.drift import Difference
    from pipeline.jobs import Clip
    from pipeline.ledger import Entry, State, Total
    from pipeline.terminal.submit.jobs import Listing, Story
    from pipeline.terminal.submit.outcome import Trouble
    from pipeline.terminal.submit.steps import Line
    from pipeline.terminal.submit.work import Ended
    from preprocess import Profile

    Rows = list[tuple[str, RenderableType]]

_STYLES = {Status.REJECTED: "yellow", Status.FAILED: "red", Status.UNKNOWN: "bold red"}
_PROMPT_CHARACTERS = 40
_MOST_FACTS = 3
"""What a clip is, its picture, its time: enough where it was only just made."""


class PeopleVoice:
    """Text, as wide as the terminal."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._out = console()
        self._error = console(error=True)

    @contextmanager
    def following(self) -> Iterator[Callable[[Line], None]]:
        """Show a line for each step."""
        with Stages(self._error) as stages:
            yield stages.tell

    def drafted(self, ended: Ended) -> None:
        """Print the body, and beside it what people want to know."""
        if ended.draft is None:
            self.ended(ended)
            return
        show(self._error, views.rows(_draft_rows(ended.draft)))
        # JSON as it is posted, for programs too: never broken into lines of a width.
        sys.stdout.write(json.dumps(dict(ended.draft.body), indent=2) + "\n")

    def ended(self, ended: Ended) -> None:
        """Print the clip, or why there is none."""
        if ended.trouble is not None:
            self._trouble(ended.trouble, ended.entry)
        elif ended.entry is not None:
            rows = _clip_rows(ended.clip) if ended.clip else []
            show(self._out, views.rows(rows + _entry_rows(ended.entry)))
            if ended.clip is None:
                self.left(ended.entry)

    def left(self, entry: Entry) -> None:
        """Print how the job goes on."""
        show(self._error, Text(clean(left_text(entry))))

    def listed(self, found: Listing) -> None:
        """Print a row for each job, then the totals."""
        if found.entries:
            show(self._out, _jobs_table(found.entries))
        for text in _totals(found.totals):
            show(self._out, Text(text, style="dim"))

    def shown(self, story: Story) -> None:
        """Print all about a job."""
        entry = story.entry
        rows: Rows = [*_entry_rows(entry), ("state", Text(entry.state.value))]
        if entry.output is not None:
            rows.append(("clip", Text(_near(Path(entry.output)))))
        if entry.error is not None:
            rows.append(("error", Text(clean(f"{entry.error.code}: {entry.error.message}"))))
        request = {
            name: each for name, each in story.entry.request.items() if each not in ("", None)
        }
        rows.append(("request", views.rows((n, Text(clean(str(v)))) for n, v in request.items())))
        steps = [
            (_when(each.at), Text(f"{each.state.value}{_noted(each.note)}"))
            for each in story.history
        ]
        rows.append(("steps", views.rows(steps)))
        todo = next_step(entry)
        if todo is not None:
            rows.append(("next", Text(todo)))
        show(self._out, views.rows(rows))

    def forgotten(self, story: Story) -> None:
        """Print what was forgotten."""
        cost = _most(story.entry)
        text = f"forgot {shown_key(story.entry)}, which was {story.entry.state.value}"
        show(self._out, Text(clean(f"{text}; {cost} stays in the totals" if cost else text)))

    def compared(self, profile: Profile, differences: Sequence[Difference]) -> None:
        """Print every difference."""
        for each in differences:
            show(self._out, Text(clean(each.sentence())))
        count = {0: "no difference", 1: "1 difference"}.get(
            len(differences), f"{len(differences)} differences"
        )
        said = f"what {profile.provider} says of {profile.model}"
        show(self._error, Text(f"{profile.name}: {count} to {said}", style="dim"))

    def troubled(self, kind: str, trouble: Trouble) -> None:  # noqa: ARG002 - people know what they asked for
        """Print what is wrong."""
        self._trouble(trouble, None)

    def _trouble(self, trouble: Trouble, entry: Entry | None) -> None:
        style = _STYLES.get(trouble.status, "")
        parts: list[RenderableType] = [Text(trouble.status.value, style=style)]
        rows: Rows = []
        if trouble.reasons:
            parts.append(views.indented(views.reason_rows(trouble.reasons)))
        else:
            rows.append((clean(trouble.code), Text(clean(trouble.message))))
        if trouble.raw_message and trouble.raw_message not in trouble.message:
            said = ": ".join(filter(None, (trouble.raw_code, trouble.raw_message)))
            rows.append(("provider", Text(clean(said))))
        if trouble.rule:
            rows.append(("our rule", Text(clean(trouble.rule))))
        todo = next_step(entry) if entry is not None else None
        if todo is not None:
            rows.append(("next", Text(todo)))
        if rows:
            parts.append(views.indented(views.rows(rows)))
        if self._verbose and trouble.detail:
            parts.append(views.indented(Text(clean_lines(trouble.detail), style="dim")))
        show(self._error, Group(*parts))


def _draft_rows(draft: Draft) -> Rows:
    rows: Rows = [("key", Text(clean(draft.key)))]
    rows += [
        (name, Text(f"{plan.route.label}: {views.expected(plan)}"))
        for name, plan in draft.plans.items()
    ]
    if draft.sent_before is not None:
        state = draft.sent_before.state.value
        rows.append(("note", Text(f"this was sent before and is {state}; it is not sent again")))
    rows += [("missing", Text(clean(each.message), style="yellow")) for each in draft.missing]
    return rows


def _clip_rows(clip: Clip) -> Rows:
    facts = list(fact_lines(clip.facts, verbose=False))[:_MOST_FACTS]
    return [
        ("clip", Text(_near(clip.path), style="bold")),
        *(("", Text(clean(text))) for _, text in facts),
    ]


def _entry_rows(entry: Entry) -> Rows:
    rows: Rows = [("key", Text(clean(entry.key)))]
    if entry.job_id is not None:
        rows.append(("job", Text(clean(entry.job_id))))
    if cost := _most(entry):
        rows.append(("price", Text(cost)))
    return rows


def _most(entry: Entry) -> str:
    return f"at most ${entry.cost_usd:.2f}" if entry.cost_usd else ""


def _jobs_table(entries: Sequence[Entry]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("key", "state", "since"):
        table.add_column(title, no_wrap=True)
    table.add_column("at most", justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    for each in entries:
        cost = f"${each.cost_usd:.2f}" if each.cost_usd is not None else ""
        table.add_row(
            clean(shown_key(each)), each.state.value, _when(each.updated), cost, _what(each)
        )
    return table


def _what(entry: Entry) -> Text:
    prompt = shorten(str(entry.request.get("prompt", "")), _PROMPT_CHARACTERS)
    text = Text(clean(f"{entry.request.get('mode', '')}: {prompt}"))
    if entry.output is not None:
        text.append(f"\n{_near(Path(entry.output))}", style="dim")
    elif entry.error is not None:
        text.append(f"\n{clean(entry.error.code)}", style="dim")
    return text


def _totals(totals: Mapping[State, Total]) -> Iterator[str]:
    if not totals:
        yield "no jobs"
    for state, total in totals.items():
        jobs = "1 job" if total.jobs == 1 else f"{total.jobs} jobs"
        yield f"{state.value}: {jobs}, at most ${total.cost_usd:.2f}"


def _value(value: object) -> str:
    """A parameter as it was sent."""
    return value if isinstance(value, str) else json.dumps(value)


def _near(path: Path) -> str:
    """A path as somebody in this folder would type it."""
    here = Path.cwd()
    return clean(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _when(unix_s: float) -> str:
    """In the person's own time zone."""
    return f"{datetime.fromtimestamp(unix_s, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def _noted(note: str | None) -> str:
    return f": {clean(note)}" if note else ""
