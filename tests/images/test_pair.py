"""Start and end frame of one clip: one size, both written or none."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from typer.testing import CliRunner

from pipeline.terminal.commands import app
from preprocess import (
    FailureCode,
    ImagePlan,
    InputRejected,
    Intent,
    Mode,
    Options,
    PreparationFailed,
    Progress,
    Rejection,
    Resolution,
    Role,
    Status,
    load_profile,
    plan_file,
    plan_pair,
    prepare_pair,
    prepare_pair_async,
    process_file,
    process_pair,
    process_pair_async,
    publish,
)
from tests.images import stills

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROFILE = load_profile("seedance-2-0-mini")
BOTH = Intent(mode=Mode.I2V_BOTH)


@pytest.fixture
def start(tmp_path: Path) -> Path:
    return stills.save(stills.picture(1600, 900), tmp_path / "start.png", "png")


@pytest.fixture
def end(tmp_path: Path) -> Path:
    return stills.save(stills.picture(900, 1200), tmp_path / "end.jpg", "jpeg")


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def size_of(path: Path | None) -> tuple[int, int]:
    assert path is not None
    with Image.open(path) as image:
        return image.size


SIDES = st.integers(60, 1200)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    SIDES, SIDES, SIDES, SIDES, st.sampled_from(["adaptive", "1:1"]), st.sampled_from(Resolution)
)
def test_both_have_the_size_that_the_first_decides(
    tmp_path: Path,
    width: int,
    height: int,
    other_width: int,
    other_height: int,
    ratio: str,
    resolution: Resolution,
) -> None:
    first = stills.save(stills.picture(width, height), tmp_path / "a", "png")
    last = stills.save(stills.picture(other_width, other_height), tmp_path / "b", "png")
    intent = Intent(mode=Mode.I2V_BOTH, ratio=ratio, resolution=resolution)
    alone = plan_file(
        first, intent=Intent(role=Role.FIRST_FRAME, ratio=ratio, resolution=resolution)
    )
    assert isinstance(alone, ImagePlan)

    ready = prepare_pair(first, last, intent=intent, options=Options(force=True))

    wanted = PROFILE.sizes[resolution.value][alone.ratio]
    assert [size_of(each.path) for each in ready] == [(wanted.width, wanted.height)] * 2
    again = plan_pair(ready[0].path, ready[1].path, intent=intent)
    assert [each.route.label for each in again if isinstance(each, ImagePlan)] == ["keep", "keep"]


def test_the_turn_of_the_first_counts(tmp_path: Path, end: Path) -> None:
    """Stored lying, shown standing: the clip stands."""
    stored, exif = stills.turned(stills.picture(900, 1600), 6)
    first = stills.save(stored, tmp_path / "phone.jpg", "jpeg", exif=exif)
    ready = process_pair(first, end)

    assert [size_of(each.output) for each in ready] == [(720, 1280)] * 2


def test_the_receipts_name_the_roles(start: Path, end: Path) -> None:
    ready = prepare_pair(start, end)
    told = [json.loads(each.receipt.read_text()) for each in ready if each.receipt is not None]

    assert [each["intent"]["role"] for each in told] == ["first_frame", "last_frame"]
    assert [each["plan"]["ratio"] for each in told] == ["16:9", "16:9"]


def test_results_of_one_stem_do_not_collide(tmp_path: Path, start: Path) -> None:
    (tmp_path / "other").mkdir()
    other = stills.save(stills.picture(), tmp_path / "other" / "start.png", "png")
    ready = process_pair(start, other, directory=tmp_path)

    assert len({each.output for each in ready}) == 2
    assert all(each.error is None for each in ready)


def test_one_picture_may_be_both(start: Path) -> None:
    first, last = prepare_pair(start, start)

    assert first.path != last.path
    assert first.sha256 == last.sha256


def test_frames_that_are_right_stay_where_they_are(tmp_path: Path) -> None:
    paths = [stills.save(stills.picture(), tmp_path / name, "png") for name in ("a", "b")]
    reports = process_pair(*paths)

    assert [each.status for each in reports] == [Status.UNCHANGED] * 2
    assert left(tmp_path) == {"a", "b"}


# --- both or none --------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, 1])
def test_a_refused_frame_takes_the_other_with_it(
    bad: int, tmp_path: Path, start: Path, end: Path
) -> None:
    (start, end)[bad].write_bytes(b"%PDF-1.4 no picture")
    before = left(tmp_path)
    reports = process_pair(start, end)

    assert [each.status for each in reports] == [Status.REJECTED] * 2
    assert left(tmp_path) == before
    good, refused = reports[1 - bad], reports[bad]
    assert [reason.rule for reason in good.reasons] == ["input.pair"]
    assert ("start", "end")[bad] in good.reasons[0].measured
    assert refused.error is not None
    assert refused.error.code in good.reasons[0].measured
    with pytest.raises(InputRejected) as caught:
        prepare_pair(start, end)
    assert caught.value.code == refused.error.code
    planned = plan_pair(start, end)
    assert [type(each) for each in planned] == [Rejection] * 2
    assert planned[1 - bad].reasons == good.reasons


def test_both_are_told_what_is_wrong_with_them(tmp_path: Path, start: Path) -> None:
    start.write_bytes(b"")
    reports = process_pair(start, tmp_path / "missing.png")

    assert [each.error.code for each in reports if each.error] == ["input.empty", "input.missing"]


def damaged(path: Path) -> None:
    """Headers stay; the coded picture does not."""
    data = bytearray(stills.encoded(Image.effect_noise((1600, 900), 90).convert("RGB"), "png"))
    middle = data.index(b"IDAT", len(data) // 2) + 1000
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)


@pytest.mark.parametrize("bad", [0, 1])
def test_damage_found_while_decoding_leaves_neither(
    bad: int, tmp_path: Path, start: Path, end: Path
) -> None:
    damaged((start, end)[bad])
    before = left(tmp_path)
    reports = process_pair(start, end)

    assert [each.error.code for each in reports if each.error][bad] == "input.corrupt"
    assert [each.error.code for each in reports if each.error][1 - bad] == "input.pair"
    assert left(tmp_path) == before


@pytest.mark.parametrize("name", ["start.ready.png", "end.ready.jpg", "end.ready.jpg.receipt.json"])
def test_a_taken_name_leaves_neither(name: str, tmp_path: Path, start: Path, end: Path) -> None:
    (tmp_path / name).write_text("somebody else's")
    before = left(tmp_path)
    reports = process_pair(start, end)

    codes = [each.error.code for each in reports if each.error is not None]
    mine = "start" not in name
    assert codes[mine] == FailureCode.TARGET_EXISTS
    assert codes[1 - mine] == FailureCode.PAIR
    assert left(tmp_path) == before
    with pytest.raises(PreparationFailed) as caught:
        prepare_pair(start, end)
    assert caught.value.code is FailureCode.TARGET_EXISTS


def test_a_name_taken_at_the_last_moment_leaves_neither(
    tmp_path: Path, start: Path, end: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = publish._rename_without_clobbering

    def raced(source: Path, target: Path) -> None:
        if target.name == "end.ready.jpg":
            target.write_text("somebody else's")
        rename(source, target)

    monkeypatch.setattr(publish, "_rename_without_clobbering", raced)
    before = left(tmp_path)
    reports = process_pair(start, end)

    assert {each.error.code for each in reports if each.error} == {FailureCode.TARGET_EXISTS}
    assert left(tmp_path) == before | {"end.ready.jpg"}
    assert (tmp_path / "end.ready.jpg").read_text() == "somebody else's"


def test_a_frame_that_changes_meanwhile_leaves_neither(
    tmp_path: Path, start: Path, end: Path
) -> None:
    def meddle(progress: Progress) -> None:
        if progress.index == 1 and progress.stage.value == "verify":
            start.write_bytes(b"another picture")

    before = left(tmp_path)
    reports = process_pair(start, end, on_progress=meddle)

    assert [each.error.code for each in reports if each.error] == ["input.changed", "input.pair"]
    assert left(tmp_path) == before


def test_a_pair_has_one_deadline(start: Path, end: Path) -> None:
    reports = process_pair(start, end, options=Options(deadline_s=0.000_001))

    assert {each.error.code for each in reports if each.error} == {FailureCode.DEADLINE}


# --- ways in -------------------------------------------------------------------------------------


def test_asyncio_callers_get_the_same(start: Path, end: Path) -> None:
    met: list[Progress] = []

    async def both() -> Sequence[Any]:
        reports = await process_pair_async(start, end, on_progress=met.append)
        ready = await prepare_pair_async(start, end, options=Options(force=True))
        return *reports, *ready

    first, last, *ready = asyncio.run(both())
    assert (first.output, last.output) == (ready[0].path, ready[1].path)
    assert {progress.index for progress in met} == {0, 1}


def test_one_frame_alone_is_no_pair(start: Path) -> None:
    with pytest.raises(ValueError, match="process_pair"):
        process_file(start, intent=BOTH)
    with pytest.raises(ValueError, match="plan_pair"):
        plan_file(start, intent=BOTH)


def ran(*words: str | Path) -> tuple[int, list[dict[str, Any]]]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return done.exit_code, [each for each in records if each["type"] != "progress"]


def test_the_command_line_makes_both(tmp_path: Path, start: Path, end: Path) -> None:
    _, plans = ran("plan", "--json", "--mode", "i2v_both", start, end)
    _, checks = ran("check", "--json", "--mode", "i2v_both", start, end)
    code, results = ran("normalize", "--json", "--mode", "i2v_both", start, end)

    assert code == 0
    assert [each["index"] for each in results] == [0, 1]
    assert [each["output"] for each in results] == [each["output"] for each in plans]
    assert [size_of(tmp_path / each["output"]) for each in results] == [(1280, 720)] * 2
    assert [each["accepted"] for each in checks] == [False, False]


def test_the_command_line_makes_none(tmp_path: Path, start: Path, end: Path) -> None:
    end.write_bytes(b"GIF89a")
    before = left(tmp_path)
    planned, plans = ran("plan", "--json", "--mode", "i2v_both", start, end)
    made, results = ran("normalize", "--json", "--mode", "i2v_both", start, end)

    assert (planned, made) == (3, 3)
    for each in (plans, results):
        assert each[0]["error"]["code"] == "input.pair"
        assert each[1]["error"]["code"].startswith("input.")
    assert left(tmp_path) == before


def test_images_and_clips_go_together_in_one_call(tmp_path: Path, start: Path) -> None:
    """Each by its content; a private tag in the one has nothing to do with the other."""
    from fixtures.clips import make_clip  # noqa: PLC0415 - the only clip here
    from fixtures.spec import ClipSpec, Container  # noqa: PLC0415 - as above

    clip = make_clip(
        ClipSpec(name="clip", frames=60, container=Container.MATROSKA), tmp_path / "clip.mkv"
    )
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Phone Maker"
    told = stills.save(stills.picture(), tmp_path / "told.jpg", "jpeg", exif=exif)
    code, results = ran("normalize", "--json", start, clip, told)

    assert code == 0
    assert [each["facts"]["kind"] for each in results] == ["image", "video", "image"]
    assert [each["route"] for each in results] == ["encode", "rewrap", "rewrap"]
