"""From events to lines, and from lines to what stands on a terminal."""

from __future__ import annotations

import io
from fractions import Fraction

from rich.console import Console

from pipeline.answers import JobKind, JobState
from pipeline.assemble import AssetProgress
from pipeline.assemble import Step as AssetStep
from pipeline.price import Quote
from pipeline.terminal.submit.stages import Stages
from pipeline.terminal.submit.steps import Line, Step, Steps
from preprocess import Progress, Route, Stage


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def told() -> tuple[Steps, list[Line], Clock]:
    lines: list[Line] = []
    clock = Clock()
    return Steps(lines.append, clock), lines, clock


def sent(count: int, *, done: bool = False) -> AssetProgress:
    return AssetProgress(
        field="video", step=AssetStep.UPLOAD, sent_bytes=count, total_bytes=10**6, done=done
    )


def test_a_file_that_was_here_is_not_fetched() -> None:
    steps, lines, _ = told()
    steps.take(AssetProgress(field="video", step=AssetStep.FETCH, done=True))
    assert lines == []

    steps.take(AssetProgress(field="image", step=AssetStep.FETCH, sent_bytes=5))
    steps.take(AssetProgress(field="image", step=AssetStep.FETCH, done=True))
    assert [(line.step, line.done, line.sent_bytes) for line in lines] == [
        (Step.FETCH, False, 5),
        (Step.FETCH, True, 5),
    ]


def test_of_a_step_that_goes_on_not_every_event_is_told() -> None:
    steps, lines, clock = told()
    for count in range(1000):
        steps.take(sent(count))
        clock.now += 0.001
    steps.take(AssetProgress(field="video", step=AssetStep.UPLOAD, done=True))

    assert 9 <= len(lines) <= 12
    assert lines[-1] == Line(
        step=Step.UPLOAD, field="video", done=True, sent_bytes=999, total_bytes=10**6
    )


def test_the_route_stays_once_it_is_known() -> None:
    steps, lines, _ = told()
    progress = Progress(stage=Stage.EXECUTE, route=Route.CUT, fraction=0.5)
    steps.take(AssetProgress(field="video", step=AssetStep.PREPARE, preparing=progress))
    steps.take(AssetProgress(field="video", step=AssetStep.PREPARE, done=True))

    assert [(line.note, line.fraction) for line in lines] == [("cut", 0.5), ("cut", None)]


def test_a_job_is_waited_for_and_then_downloaded() -> None:
    steps, lines, _ = told()
    steps.take(JobState(kind=JobKind.PENDING, status="queued", progress=0))
    steps.take(JobState(kind=JobKind.PENDING, status="processing", progress=0.4))
    steps.take(JobState(kind=JobKind.SUCCEEDED, status="completed"))
    steps.finish()

    assert [(line.step, line.done, line.note) for line in lines] == [
        (Step.WAIT, False, "queued"),
        (Step.WAIT, False, "processing"),
        (Step.WAIT, True, "completed"),
        (Step.DOWNLOAD, False, ""),
        (Step.DOWNLOAD, True, ""),
    ]


def test_a_clip_that_was_here_is_not_downloaded() -> None:
    steps, lines, _ = told()
    steps.finish()

    assert lines == []


QUOTE = Quote(usd_per_s=Fraction(1, 10), min_output_s=4, max_output_s=4, max_input_s=Fraction(0))


def shown(*, terminal: bool) -> str:
    """What three steps leave behind, the last of them unfinished."""
    clock = Clock()
    where = Console(
        file=io.StringIO(), force_terminal=terminal, width=80, color_system=None, highlight=False
    )
    with Stages(where, clock=clock) as stages:
        steps = Steps(stages.tell, clock)
        steps.take(QUOTE)
        steps.take(sent(0))
        clock.now += 3
        steps.take(AssetProgress(field="video", step=AssetStep.UPLOAD, done=True))
        steps.take(JobState(kind=JobKind.PENDING, status="proc\x1bessing", progress=0.25))
        clock.now += 62
    assert isinstance(where.file, io.StringIO)
    return where.file.getvalue()


def test_off_a_terminal_each_step_is_a_line_when_it_is_over() -> None:
    assert shown(terminal=False).splitlines() == [
        "price: $0.40: 4 s at $0.100 a second",
        "upload video: 0 bytes of 1.0 MB, 3.0 s",
        r"wait: proc\x1bessing",
    ]


def test_on_a_terminal_all_steps_stay_with_their_times() -> None:
    last = shown(terminal=True).rpartition("✓  price")[2].splitlines()

    assert "✓  upload video  3.0 s  0 bytes of 1.0 MB" in last[1]
    assert r"·  wait           1:02  proc\x1bessing ━━━━━━━━━━━━━━━━ 25%" in last[2]
    assert max(len(line.rstrip("\n")) for line in last[1:3]) < 80
