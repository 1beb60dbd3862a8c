"""Each generated clip takes the route its recipe is for, and comes out right."""

from __future__ import annotations

import os
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from fixtures import reading, recipes
from fixtures.clips import make_clip
from preprocess import (
    ClipPlan,
    Intent,
    Limits,
    Mode,
    Report,
    Route,
    Target,
    load_profile,
    process_file,
)
from tests import second_reader
from tests.generated import sync

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.spec import ClipSpec

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")

PROFILE = load_profile("seedance-2-0-mini")


def wanted_route(spec: ClipSpec) -> str | None:
    """The route in the recipe's name; ``None`` where several are right."""
    route = spec.name.split("-", 1)[0]
    return route if route in {"keep", "rewrap", "cut", "encode"} else None


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where clips are kept for the whole run, all worker processes of it alike."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "generated-clips"
    folder.mkdir(exist_ok=True)
    return folder


def prepared(
    spec: ClipSpec, clips: Path, folder: Path, mode: Mode, limits: Limits = Limits.SAFE
) -> Report:
    """Make the clip, unless another test has, and prepare it."""
    source = clips / spec.file_name
    if not source.exists():
        make_clip(spec, folder / spec.file_name).rename(source)
    return process_file(
        source,
        intent=Intent(mode=mode, limits=limits),
        target=Target(directory=folder, stem=f"{spec.name}-{mode}"),
    )


def check_pictures(report: Report, source: Path, first: int, step: Fraction) -> None:
    """The pictures of the result are those of the source from *first* on, none lost or moved."""
    assert report.output is not None
    assert isinstance(report.plan, ClipPlan)
    wanted = [first + int(n / step) for n in range(report.plan.expected.frames)]
    if report.plan.route is Route.ENCODE:
        assert reading.frame_numbers(report.output) == wanted
        return
    ours = reading.frame_hashes(report.output)
    theirs = reading.frame_hashes(source, honour_edit_list=False, most=first + len(ours))
    assert theirs[first : first + len(ours)] == ours
    assert len(ours) == len(wanted)
    assert reading.frame_numbers(report.output, most=1) == wanted[:1]


@pytest.mark.parametrize(
    "spec", [*recipes.SHORT, *recipes.CUT, *recipes.ENCODE], ids=lambda spec: spec.name
)
def test_a_clip_takes_its_route_and_comes_out_right(
    spec: ClipSpec, clips: Path, tmp_path: Path
) -> None:
    report = prepared(spec, clips, tmp_path, Mode.EDIT)
    assert report.error is None, report.error
    assert isinstance(report.plan, ClipPlan)
    assert report.plan.route.label == wanted_route(spec), [r.sentence() for r in report.reasons]
    assert report.output is not None
    assert not report.attempts
    assert second_reader.accept_objections(report.output, PROFILE) == []
    if report.plan.route is Route.KEEP:
        assert report.output.read_bytes() == report.input.read_bytes()
        return
    if spec.timing.dropped:
        check_times(report, spec)
    else:
        step = report.plan.expected.frame_rate / spec.frame_rate
        check_pictures(report, report.input, 0, step if step > Fraction(11, 10) else Fraction(1))
    check_sound(report, spec, Fraction(0))


def check_times(report: Report, spec: ClipSpec) -> None:
    """Each picture of the result is the one that the source shows at its time, none drifting."""
    assert report.output is not None
    assert isinstance(report.plan, ClipPlan)
    rate = report.plan.expected.frame_rate
    stored = [n for n in range(spec.frames) if n not in spec.timing.dropped]
    moments = [(k + Fraction(1, 2)) / rate for k in range(report.plan.expected.frames)]
    shown = [max(n for n in stored if n / spec.frame_rate < moment) for moment in moments]

    assert reading.frame_numbers(report.output) == shown


def check_sound(report: Report, spec: ClipSpec, start_s: Fraction) -> None:
    """The sound at start, middle and end of the result tells the time of its picture."""
    if spec.sound is None:
        return
    assert report.output is not None
    assert isinstance(report.plan, ClipPlan)
    length = report.plan.expected.duration_s
    begins = max(Fraction(0), spec.sound.start_s - start_s)
    ends = length
    if spec.sound.duration_s is not None:
        ends = min(length, spec.sound.start_s + spec.sound.duration_s - start_s)
    moments = [begins + Fraction(1, 5), (begins + ends) / 2, ends - Fraction(3, 10)]
    heard = reading.sound_times(report.output, moments)
    told = [None if t is None else float(t) - float(start_s) for t in heard]
    drift = float(Fraction(1, 1000)) if report.plan.retimed else 0.0
    for moment, time in zip(moments, told, strict=True):
        allowed = second_reader.MAX_SKEW_S + drift * float(moment)
        assert time is not None, f"silence at {float(moment):.2f} s"
        assert abs(time - float(moment)) <= allowed, (moments, told)


@pytest.mark.parametrize(
    "spec", [s for s in recipes.CUT if s.duration_s <= 22], ids=lambda spec: spec.name
)
def test_extend_keeps_the_tail(spec: ClipSpec, clips: Path, tmp_path: Path) -> None:
    """The continuation starts where the clip ends, so the last picture is the source's last."""
    report = prepared(spec, clips, tmp_path, Mode.EXTEND)

    assert report.error is None, report.error
    assert report.output is not None
    assert isinstance(report.plan, ClipPlan)
    assert second_reader.accept_objections(report.output, PROFILE) == []
    first = spec.frames - report.plan.expected.frames
    check_pictures(report, report.input, first, Fraction(1))
    assert report.plan.start_s <= spec.frames / spec.frame_rate - 15 + Fraction(21, 20)
    check_sound(report, spec, first / spec.frame_rate)


@pytest.mark.parametrize("spec", recipes.TIMED, ids=lambda spec: spec.name)
def test_a_variable_rate_becomes_constant_in_step(
    spec: ClipSpec, clips: Path, tmp_path: Path
) -> None:
    """Every picture at its time, and its sound with it, from start to end."""
    report = prepared(spec, clips, tmp_path, Mode.EDIT)

    assert report.error is None, report.error
    assert report.output is not None
    assert isinstance(report.plan, ClipPlan)
    assert "video.variable_rate" in {reason.rule for reason in report.reasons}
    assert second_reader.accept_objections(report.output, PROFILE) == []
    rate = report.plan.expected.frame_rate
    shown = reading.frame_numbers(report.output)
    first = shown[0] or 0
    for k, (before, number) in enumerate(pairwise(shown), 1):
        assert before is not None
        assert number is not None
        assert number >= before
        if number > before:
            late_s = k / rate - (number - first) / spec.frame_rate
            assert abs(late_s) <= second_reader.MAX_SKEW_S
    for moment in sync.moments(report, spec):
        assert abs(moment.apart_ms) <= 1000 * second_reader.MAX_SKEW_S


@pytest.mark.parametrize("spec", recipes.UNSETTLED, ids=lambda spec: spec.name)
def test_edit_lists_and_skew_are_resolved(spec: ClipSpec, clips: Path, tmp_path: Path) -> None:
    """What an edit list hides is not in the result, and sound stays with its picture."""
    report = prepared(spec, clips, tmp_path, Mode.EDIT)

    assert report.error is None, report.error
    assert report.output is not None
    assert isinstance(report.plan, ClipPlan)
    assert second_reader.accept_objections(report.output, PROFILE) == []
    shown = reading.frame_numbers(report.input, most=1)
    check_pictures(report, report.input, shown[0] or 0, Fraction(1))
    check_sound(report, spec, (shown[0] or 0) / spec.frame_rate)


@pytest.mark.parametrize(
    "spec",
    [s for s in recipes.ENCODE if s.codec == "libx265"],
    ids=lambda spec: spec.name,
)
def test_documented_limits_copy_hevc(spec: ClipSpec, clips: Path, tmp_path: Path) -> None:
    """HEVC is inside the documented limits, so nothing is encoded where a clean cut exists."""
    report = prepared(spec, clips, tmp_path, Mode.EDIT, Limits.DOCUMENTED)

    assert report.error is None, report.error
    assert isinstance(report.plan, ClipPlan)
    assert report.plan.route is Route.CUT
    assert report.output is not None
    assert second_reader.accept_objections(report.output, PROFILE, "documented") == []
    check_pictures(report, report.input, 0, Fraction(1))
