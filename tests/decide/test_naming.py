"""What results are called."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from preprocess.naming import distinct_stems, output_path, receipt_path, result_name
from tests.decide.searching import widely

PARTS = st.sampled_from(["a", "A", "b", "a.mov", "a.mov.mp4", "ß", "SS", ".a", "a.ready", "ä"])
FOLDERS = st.sampled_from(["", "x", "x/../x", "y/z"])
EXTENSIONS = st.sampled_from(["", ".mov", ".MOV", ".mp4", ".mkv"])
PATHS = st.builds(lambda f, p, e: Path(f) / f"{p}{e}", FOLDERS, PARTS, EXTENSIONS)
OUT = Path("out")


def stems(*names: str, directory: Path | None = None) -> list[str]:
    return distinct_stems([Path(name) for name in names], directory)


def test_a_result_is_named_after_its_source() -> None:
    assert result_name(Path("in/IMG_0042.MOV"), "mp4") == "IMG_0042.ready.mp4"
    assert output_path(Path("in/IMG_0042.MOV"), "IMG_0042", None, "mp4") == Path(
        "in/IMG_0042.ready.mp4"
    )
    assert output_path(Path("in/a.MOV"), "a", OUT, "mp4") == Path("out/a.ready.mp4")
    assert receipt_path(Path("out/a.ready.mp4")) == Path("out/a.ready.mp4.receipt.json")


def test_names_that_do_not_collide_stay_short() -> None:
    assert stems("a.mov", "b.mov", "x/a.mov") == ["a", "b", "a"]


def test_colliding_names_get_their_extension() -> None:
    assert stems("a.mov", "a.mp4", "b.mov") == ["a.mov", "a.mp4", "b"]


def test_names_that_differ_by_case_alone_collide() -> None:
    """On the disks of most laptops they are one file."""
    assert stems("a.mov", "A.mp4") == ["a.mov", "A.mp4"]


def test_names_that_still_collide_get_a_digest_of_their_path() -> None:
    first, second = stems("x/a.mov", "y/a.mov", directory=OUT)

    assert first != second
    for stem in (first, second):
        name, digest = stem.rsplit(".", 1)
        assert name == "a.mov"
        assert len(digest) == 8
    assert stems("x/a.mov", "y/a.mov", directory=OUT) == [first, second]


def test_a_name_lengthened_to_differ_does_not_meet_another_one() -> None:
    found = stems("a.mov", "a.mp4", "a.mov.mkv")

    assert found[1] == "a.mp4"
    assert len(set(found)) == 3


def test_folders_are_compared_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = distinct_stems([tmp_path / "real/a.mov", tmp_path / "link/a.mp4"], None)

    assert found == ["a.mov", "a.mp4"]


@widely()
@given(st.lists(PATHS, max_size=12), st.sampled_from([None, OUT]))
def test_no_two_results_of_one_call_have_the_same_name(
    sources: list[Path], directory: Path | None
) -> None:
    """Not even where one is given twice."""
    results = [
        output_path(source, stem, directory, "mp4").resolve()
        for source, stem in zip(sources, distinct_stems(sources, directory), strict=True)
    ]

    assert len({str(result).casefold() for result in results}) == len(sources)
