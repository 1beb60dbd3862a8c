"""`cut` against its source over caps and GOP structures, judged picture by picture."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from fixtures import reading, recipes
from fixtures.clips import make_clip
from fixtures.spec import INTRA_ONLY, ClipSpec, Container
from preprocess import Intent, Mode, Options, Route, Target, process_file
from tests import second_reader

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")

SECONDS = 9
STRUCTURES = {
    "closed": recipes.CLOSED,
    "closed-b": recipes.CLOSED_B,
    "open": recipes.OPEN,
    "pyramid": recipes.PYRAMID,
    "strict-pyramid": recipes.STRICT_PYRAMID,
    "open-pyramid": recipes.OPEN_PYRAMID,
    "deep": recipes.DEEP,
    "intra": INTRA_ONLY,
    "single-keyframe": recipes.SINGLE_B,
    "random-open": recipes.RANDOM_OPEN,
}
CAPS = ("2.5", "3", "3.7", "4.04", "5.01", "6.5", "8.96")
MINI_GOP = 8  # the longest run of pictures that refer to each other out of order, above
TOLERANCE_S = Fraction(1, 2)


def spec_of(structure: str) -> ClipSpec:
    """A clip of 9 s, 25 fps."""
    return ClipSpec(
        name=structure,
        frames=SECONDS * 25,
        frame_rate=Fraction(25),
        gop=STRUCTURES[structure],
        container=Container.MP4,
        sound=replace(recipes.AAC_44),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources and profiles, made once."""
    return tmp_path_factory.mktemp("sweep")


@lru_cache(maxsize=32)
def source_of(structure: str, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The clip and the hashes of its pictures."""
    path = make_clip(spec_of(structure), folder / f"{structure}.mp4")
    return path, tuple(reading.frame_hashes(path))


def profile_with_cap(cap: str, folder: Path) -> Path:
    """The bundled profile with another longest duration."""
    text = resources.files("preprocess.profiles").joinpath("seedance-2-0-mini.toml").read_text()
    assert "track_duration_s = { max = 15.0" in text
    path = folder / f"cap-{cap}.toml"
    path.write_text(
        text.replace("track_duration_s = { max = 15.0", f"track_duration_s = {{ max = {cap}")
    )
    return path


@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_cut_is_an_identical_prefix_under_the_cap(structure: str, cap: str, folder: Path) -> None:
    source, hashes = source_of(structure, folder)
    report = process_file(
        source,
        intent=Intent(profile=str(profile_with_cap(cap, folder)), mode=Mode.EDIT),
        target=Target(directory=folder, stem=f"{structure}-{cap}"),
        options=Options(force=True),
    )

    assert report.error is None, report.error
    assert report.plan is not None
    assert report.plan.route is Route.CUT, [r.sentence() for r in report.reasons]
    assert report.output is not None
    kept = reading.frame_hashes(report.output)
    assert tuple(kept) == hashes[: len(kept)]
    assert kept == reading.frame_hashes(report.output, honour_edit_list=False)
    for ignore in (False, True):
        ends = reading.track_end_s(report.output, ignore_editlist=ignore)
        assert all(end <= Fraction(cap) for end in ends.values()), ends
    most = int(Fraction(cap) * 25)
    assert most - MINI_GOP < len(kept) <= most
    assert (most - len(kept)) / Fraction(25) <= TOLERANCE_S
    assert second_reader.is_constant(report.output, Fraction(25))
