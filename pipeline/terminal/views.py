"""What people see: facts, reasons, plans and results, as Rich renderables. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.terminal.facts_view import fact_lines
from pipeline.terminal.text import clean, clean_lines, number_text, seconds_text, taken_text
from preprocess import ClipPlan, ImagePlan, Plan, Reason, Report, Route, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from pipeline.terminal.request import Task
    from pipeline.terminal.work import Look
    from preprocess import Facts, Price, Problem, Profile

_ROUTES = {
    Route.KEEP: "nothing to do, it is inside every limit",
    Route.REWRAP: "packets copied into a new file, no picture touched",
    Route.CUT: "packets copied up to a clean boundary, no picture touched",
    Route.ENCODE: "pictures made anew, in one pass",
}
_STYLES = {
    Status.UNCHANGED: "green",
    Status.PREPARED: "green",
    Status.REJECTED: "yellow",
    Status.FAILED: "red",
}


# First part of a rule's name that does not go without saying.
_GROUPS = {"audio": "sound "}


def rows(pairs: Iterable[tuple[str, RenderableType]], *, style: str = "dim") -> Table:
    """Labels, and beside them what belongs to them."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style=style, no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, value)
    return table


def reason_rows(reasons: Iterable[Reason]) -> RenderableType:
    """Each rule with what was measured, what is allowed, and what to do."""
    return rows(((clean(each.rule), _reason(each)) for each in reasons), style="cyan")


def _reason(reason: Reason, *, indent: int = 0) -> Text:
    text = Text(f"{clean(reason.measured)}; allowed: {clean(reason.limit)}")
    if reason.fix:
        text.append(f"\n{'':{indent}}→ {clean(reason.fix)}")
    return text


def headline(name: str, verdict: str = "", style: str = "") -> Text:
    """A file name, and in a word what became of it."""
    text = Text(clean(name), style="bold")
    return Text.assemble(text, ": ", (verdict, style)) if verdict else text


# --- check and plan ------------------------------------------------------------------------------


def check_view(task: Task, found: Look) -> RenderableType:
    """Whether the provider would take a file as it is, and which rules say no."""
    if found.accepted:
        return headline(task.name, "accepted as it is", "green")
    route = found.plan.route.label if found.plan else ""
    fate = f"not accepted; `{route}` would make it fit" if route else "not accepted, nor can it be"
    return Group(headline(task.name, fate, "yellow"), indented(reason_rows(found.reasons)))


def plan_view(task: Task, plan: Plan, found: Look) -> RenderableType:
    """What would be done to a file, why, what comes out, and what its seconds cost."""
    route = Text.assemble((plan.route.label, "bold"), f": {_ROUTES[plan.route]}")
    pairs: list[tuple[str, RenderableType]] = [("route", route)]
    if plan.reasons:
        pairs.append(("because", Text("\n").join(_because(each) for each in plan.reasons)))
    result = Text(clean(str(found.output)))
    result.append(f"\n{expected(plan)}", style="dim")
    pairs.append(("result", result))
    if plan.price is not None:
        pairs.append(("price", _price(plan.price)))
    return Group(headline(task.name), indented(rows(pairs)))


def _because(reason: Reason) -> Text:
    return Text.assemble((f"{clean(reason.rule)}: ", "cyan"), _reason(reason, indent=2))


def indented(part: RenderableType) -> Padding:
    """*part*, as belonging to the headline above it."""
    return Padding(part, (0, 0, 0, 2), expand=False)


def expected(plan: Plan) -> str:
    """What comes out of a plan, in words."""
    if isinstance(plan, ImagePlan):
        return _expected_image(plan)
    assert isinstance(plan, ClipPlan)  # noqa: S101 - there are two kinds
    made = plan.expected
    parts = (
        f"{made.container}, {made.video_codec} {made.width_px}x{made.height_px}",
        f"{number_text(made.frame_rate)} fps",
        f"{made.frames} pictures",
        seconds_text(made.duration_s),
        f"sound {made.audio_codec}" if made.audio_codec else "no sound",
        f"at most {made.max_bytes / 1e6:g} MB",
    )
    return ", ".join(parts)


def _expected_image(plan: ImagePlan) -> str:
    made = plan.expected
    parts = [f"{made.container.upper()} {made.width_px}x{made.height_px}"]
    if plan.ratio != "adaptive":
        parts.append(plan.ratio)
    if plan.encoding is not None and made.container == "jpeg":
        parts.append(f"quality {plan.encoding.quality}, 4:4:4")
    return ", ".join([*parts, f"at most {made.max_bytes / 1e6:g} MB"])


def _price(price: Price) -> str:
    own = float(price.seconds)
    lines = [
        f"{name}: ${per_s:.3f} a second; ${per_s * own:.2f} for this clip's {seconds_text(own)}"
        for name, per_s in price.usd_per_second.items()
    ]
    return "\n".join([*lines, "whether seconds of input, output or both are billed is not known"])


# --- probe ---------------------------------------------------------------------------------------


def facts_view(name: str, facts: Facts, *, verbose: bool) -> RenderableType:
    """What a file is."""
    pairs = [(label, Text(clean(text))) for label, text in fact_lines(facts, verbose=verbose)]
    return Group(headline(name), indented(rows(pairs)))


# --- normalize -----------------------------------------------------------------------------------


def trouble_view(
    name: str,
    status: Status,
    problem: Problem,
    reasons: Sequence[Reason],
    *,
    verbose: bool,
) -> RenderableType:
    """Why there is no result: what was measured, what is allowed, what to do."""
    parts: list[RenderableType] = [headline(name, status.value, _STYLES[status])]
    if reasons and status is Status.REJECTED:
        parts.append(indented(reason_rows(reasons)))
    else:
        pairs = [(clean(problem.code), Text(clean(problem.message)))]
        parts.append(indented(rows(pairs, style="red")))
    if verbose and problem.detail:
        parts.append(indented(Text(clean_lines(problem.detail), style="dim")))
    return Group(*parts)


def attempts_view(task: Task, report: Report) -> RenderableType:
    """Which cheaper routes were tried first, and what was wrong with their results."""
    pairs = [(each.route, Text(clean(each.failed))) for each in report.attempts]
    return Group(
        headline(task.name, "another way was taken, for this did not do"), indented(rows(pairs))
    )


def results_view(ended: Sequence[tuple[Task, Report]]) -> RenderableType:
    """The table at the end: what became of each input, and what was done to it."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title, justify in (("status", "left"), ("route", "left"), ("time", "right")):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("input, result and what was done", overflow="fold")
    for task, report in ended:
        table.add_row(
            Text(report.status.value, style=_STYLES[report.status]),
            _route(report),
            taken_text(report.timings_s.get("total", 0.0)),
            _story(task, report),
        )
    written = [report.receipt for _, report in ended if report.receipt is not None]
    if len(written) == 1:
        return Group(table, Text(f"receipt: {clean(str(written[0]))}", style="dim"))
    if written:
        return Group(table, Text("receipts: beside each result, .receipt.json added", style="dim"))
    return table


def _route(report: Report) -> str:
    done = report.status in (Status.UNCHANGED, Status.PREPARED)
    return report.plan.route.label if done and report.plan else "-"


def _story(task: Task, report: Report) -> Text:
    lines = [Text(clean(task.name), style="bold")]
    if report.output is not None and report.output_sha256 is not None:
        lines.append(Text(f"→ {clean(str(report.output))}"))
    lines.append(Text(_done(report), style="dim"))
    return Text("\n").join(lines)


def _done(report: Report) -> str:
    if report.status is Status.UNCHANGED:
        copied = report.output_sha256 is not None
        return "inside every limit; copied as it is" if copied else "inside every limit"
    if report.error is not None:
        if report.status is Status.REJECTED and report.reasons:
            objections = (f"{_topic(each)}: {each.measured}" for each in report.reasons)
            return clean("; ".join(dict.fromkeys(objections)))
        return clean(f"{report.error.code}: {report.error.message}")
    fixes = [f"{_topic(reason)}: {reason.fix}" for reason in report.reasons if reason.fix]
    return clean("; ".join(fixes))


def _topic(reason: Reason) -> str:
    """``file.private_metadata`` is about private metadata, ``audio.codec`` about the sound's."""
    group, _, topic = reason.rule.rpartition(".")
    words = topic.replace("_", " ")
    return _GROUPS.get(group, "") + words


def checks_view(task: Task, report: Report) -> RenderableType:
    """What was measured on a result, and how long each step took."""
    pairs = [
        (clean(check.name), Text(clean(check.measured), style="" if check.ok else "red"))
        for check in report.checks
    ]
    steps = [f"{name} {taken_text(spent)}" for name, spent in report.timings_s.items()]
    pairs.append(("time", Text(", ".join(steps))))
    return Group(headline(task.name, "checked"), indented(rows(pairs)))


# --- profiles ------------------------------------------------------------------------------------


def profile_rows(profiles: Iterable[Profile]) -> RenderableType:
    """The profiles there are."""
    return rows((each.name, f"{each.model} at {each.provider}") for each in profiles)


def limits_view(profile: Profile) -> RenderableType:
    """Every limit of a profile with its sources, table by table, then the sources."""
    parts: list[RenderableType] = [
        headline(f"{profile.name}, {profile.model} at {profile.provider}")
    ]
    groups: dict[str, list[tuple[str, RenderableType]]] = {}
    for limit in profile.limits:
        group, key = _group(limit.key)
        said = f"{', '.join(limit.sources)}; {limit.date}"
        text = Text.assemble(clean(limit.text), (f"  ({clean(said)})", "dim"))
        groups.setdefault(group, []).append((clean(key), text))
    for group, pairs in groups.items():
        parts += ["", Text(group, style="bold"), indented(rows(pairs, style="cyan"))]
    sources = [
        (clean(key), Text(clean(f"{source.document}, {source.date}")))
        for key, source in profile.sources.items()
    ]
    return Group(*parts, "", Text("sources", style="bold"), indented(rows(sources, style="cyan")))


def _group(key: str) -> tuple[str, str]:
    """``accept.safe.area_px`` belongs to ``accept.safe``, ``target.area_px`` to ``target``."""
    parts = key.split(".")
    depth = 2 if parts[0] in ("accept", "sizes", "prices") else 1
    return ".".join(parts[:depth]), ".".join(parts[depth:])
