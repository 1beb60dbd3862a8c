"""HDR and wide gamuts, from coded patches to the SDR that another decoder reads."""

from __future__ import annotations

import subprocess
import tempfile
from math import log, sqrt
from typing import TYPE_CHECKING

import av
import pytest

from fixtures import reading
from preprocess import (
    Fit,
    Intent,
    Report,
    Route,
    Target,
    load_profile,
    plan_file,
    probe_file,
    process_file,
)
from preprocess.engines.filters import Graph
from preprocess.facts import Dynamic
from preprocess.plan import ClipPlan, Colours, Rejection
from preprocess.tonemap import converter
from preprocess.transfer import pq_signal
from tests import second_reader
from tests.generated import patches
from tests.generated.patches import BT709, HLG, P3, PQ, UNSPECIFIED, WIDE_SDR, Colour, Tagged
from tests.images.colours import delta_e, lab

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.skipif(not reading.have_ffmpeg(), reason="no ffmpeg to read results with")

# ITU-R BT.2407-0: light of BT.709 in BT.2020.
_TO_BT2020 = ((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956))
_LIGHT: list[Colour] = [
    *((1.0, 1.0, 1.0), (0.5, 0.5, 0.5), (0.18, 0.18, 0.18), (0.05, 0.05, 0.05)),
    *((0.80, 0.55, 0.45), (0.55, 0.33, 0.24), (0.30, 0.17, 0.11), (0.12, 0.07, 0.05)),
    *((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    *((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0)),
    *((0.7, 0.2, 0.15), (0.2, 0.5, 0.25), (0.15, 0.25, 0.6), (0.8, 0.6, 0.1)),
]
"""In BT.709, the brightest channel at 1: greys, skins, primaries and mixtures, muted colours."""
_LUMINANCES = (40.0, 15.0, 5.0)
"""Of 1, in cd/m2: at the knee and below."""
_MASTERED = (
    "max-cll=4000,400:master-display="
    "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,50)"
)


def _hlg_signal(light: float) -> float:
    """Of scene light: ITU-R BT.2100, table 5, written down once more, to paint with."""
    if light <= 1 / 12:
        return sqrt(3 * light)
    return 0.17883277 * log(12 * light - 0.28466892) + 0.55991073


def _in_bt2020(nits: float, colour: Colour) -> Colour:
    r, g, b = (nits * sum(a * c for a, c in zip(row, colour, strict=True)) for row in _TO_BT2020)
    return r, g, b


def _as_pq(nits: float, colour: Colour) -> Colour:
    r, g, b = (pq_signal(light) for light in _in_bt2020(nits, colour))
    return r, g, b


def _as_hlg(nits: float, colour: Colour) -> Colour:
    """By the inverse of the OOTF for 1000 cd/m2."""
    r, g, b = (light / 1000 for light in _in_bt2020(nits, colour))
    luminance = 0.2627 * r + 0.6780 * g + 0.0593 * b
    gain = luminance ** (1 / 1.2 - 1)
    return _hlg_signal(r * gain), _hlg_signal(g * gain), _hlg_signal(b * gain)


def _displayed(nits: float, colour: Colour) -> Colour:
    r, g, b = (255 * (nits / 203 * light) ** (1 / 2.4) for light in colour)
    return r, g, b


def _bytes(signal: Colour) -> Colour:
    r, g, b = (255 * value for value in signal)
    return r, g, b


def _errors(found: Sequence[Colour], expected: Sequence[Colour]) -> list[float]:
    return [delta_e(lab(a), lab(b)) for a, b in zip(found, expected, strict=True)]


def _prepared(source: Path) -> Report:
    output = source.with_name(f"{source.stem}.out.mp4")
    report = process_file(source, target=Target(output=output))
    assert report.error is None, report.error
    assert report.plan is not None
    assert report.plan.route is Route.ENCODE
    return report


def _shown(source: Path, count: int) -> list[Colour]:
    report = _prepared(source)
    assert report.output is not None
    return patches.read_patches(report.output, count)


@pytest.fixture(scope="module", params=["pq", "hlg"])
def hdr(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """54 patches of known light."""
    tagged, coded = {"pq": (PQ, _as_pq), "hlg": (HLG, _as_hlg)}[request.param]
    signals = [coded(nits, colour) for nits in _LUMINANCES for colour in _LIGHT]
    path = tmp_path_factory.mktemp("hdr") / f"{request.param}.mp4"
    return patches.make_patches(path, signals, Tagged(bitstream=tagged, container=tagged))


@pytest.fixture(scope="module")
def report(hdr: Path) -> Report:
    return _prepared(hdr)


@pytest.fixture(scope="module")
def ours(report: Report) -> list[Colour]:
    assert report.output is not None
    return patches.read_patches(report.output, len(_LUMINANCES) * len(_LIGHT))


def test_light_below_the_knee_comes_out_as_the_same_light(ours: list[Colour]) -> None:
    """Against arithmetic: 203 cd/m2 is 1 of a display of gamma 2.4; errors are 8-bit steps."""
    expected = [_displayed(nits, colour) for nits in _LUMINANCES for colour in _LIGHT]
    errors = _errors(ours, expected)

    assert sum(errors) / len(errors) < 2
    assert max(errors) < 6


def test_light_below_the_knee_comes_out_as_from_zscale(hdr: Path, ours: list[Colour]) -> None:
    """Zimg knows the transfer functions by itself; mobius is straight below its parameter."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    theirs = patches.read_patches(
        hdr,
        len(ours),
        ffmpeg=imageio_ffmpeg.get_ffmpeg_exe(),
        filters="zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,"
        "tonemap=mobius:param=0.3:desat=0,zscale=t=bt709:m=bt709:r=limited,format=yuv420p",
    )
    errors = _errors(ours, theirs)

    assert sum(errors) / len(errors) <= 3


def test_a_result_is_tagged_as_what_it_is_and_says_nothing_of_hdr(report: Report) -> None:
    assert report.plan is not None
    assert report.output is not None
    track = reading.stream_facts(report.output)["streams"][0]

    assert [reason.rule for reason in report.plan.reasons if "hdr" in reason.rule] == ["video.hdr"]
    assert {track[f"color_{name}"] for name in ("space", "transfer", "primaries")} == {"bt709"}
    assert (track["color_range"], track["pix_fmt"]) == ("tv", "yuv420p")
    assert "side_data_list" not in track
    assert second_reader.accept_objections(report.output, load_profile("seedance-2-0-mini")) == []


def test_highlights_keep_apart_up_to_where_they_were_mastered(tmp_path: Path) -> None:
    greys = [(pq_signal(nits),) * 3 for nits in (203, 400, 800, 1600, 3000, 4000, 10_000)]
    how = Tagged(bitstream=PQ, container=PQ, parameters=_MASTERED)
    found = _shown(patches.make_patches(tmp_path / "bright.mp4", greys, how), len(greys))
    levels = [grey[1] for grey in found]

    assert levels[0] == pytest.approx(210, abs=2)
    assert levels[1] > levels[0] + 15
    assert levels[2] > levels[1] + 8
    assert levels[3] > levels[2] + 2
    assert min(levels[4:]) >= 253


# --- whose word holds ----------------------------------------------------------------------------

_SIGNALS: list[Colour] = [(0.5, 0.5, 0.5), (0.6, 0.4, 0.35), (0.3, 0.5, 0.4), (0.6, 0.3, 0.2)]
_AS_PQ = Colours(primaries="bt2020", transfer="smpte2084")
_AS_HLG = Colours(primaries="bt2020", transfer="arib-std-b67")
_AS_WIDE = Colours(primaries="bt2020", transfer="bt2020-10")
_AS_P3 = Colours(primaries="smpte432", transfer="bt709")
CLIPS: dict[str, tuple[Tagged, Dynamic, Colours | None]] = {
    "pq in the bitstream, SDR in the container": (
        Tagged(bitstream=PQ, container=BT709), Dynamic.PQ, _AS_PQ),
    "SDR in the bitstream, pq in the container": (
        Tagged(bitstream=BT709, container=PQ, matrix=1), Dynamic.SDR, None),
    "pq in the container only": (
        Tagged(bitstream=UNSPECIFIED, container=PQ), Dynamic.PQ, _AS_PQ),
    "hlg, its primaries in the container only": (
        Tagged(bitstream=(2, 18, 2), container=HLG), Dynamic.HLG, _AS_HLG),
    "Display P3 in the container only": (
        Tagged(bitstream=UNSPECIFIED, container=P3, matrix=1, bits=8), Dynamic.SDR, _AS_P3),
    "HDR10 metadata, no tags": (
        Tagged(bitstream=UNSPECIFIED, container=UNSPECIFIED, parameters=_MASTERED),
        Dynamic.PQ, _AS_PQ),
    "10 bits, no tags": (
        Tagged(bitstream=UNSPECIFIED, container=UNSPECIFIED, matrix=1), Dynamic.SDR, None),
    "pq in 12 bits": (Tagged(bitstream=PQ, container=PQ, bits=12), Dynamic.PQ, _AS_PQ),
    "pq in full range": (Tagged(bitstream=PQ, container=PQ, full=True), Dynamic.PQ, _AS_PQ),
    "BT.2020 in SDR": (Tagged(bitstream=WIDE_SDR, container=WIDE_SDR), Dynamic.SDR, _AS_WIDE),
    "Display P3 in SDR, 8 bits": (
        Tagged(bitstream=P3, container=P3, matrix=1, bits=8), Dynamic.SDR, _AS_P3),
    "BT.709 in full range": (
        Tagged(bitstream=BT709, container=BT709, matrix=1, bits=8, full=True), Dynamic.SDR, None),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIPS)
def test_colours_are_what_the_bitstream_says_else_the_container(name: str, tmp_path: Path) -> None:
    how, dynamic, colours = CLIPS[name]
    source = patches.make_patches(tmp_path / "clip.mp4", _SIGNALS, how)
    facts = probe_file(source)
    assert facts.video is not None
    expected = [_bytes(converter(colours)(*each) if colours else each) for each in _SIGNALS]

    assert facts.video.dynamic is dynamic
    assert max(_errors(_shown(source, len(_SIGNALS)), expected)) < 2


@pytest.mark.parametrize(
    ("profile", "compatibility", "dynamic"),
    [(5, 0, Dynamic.DOLBY_VISION), (7, 6, Dynamic.PQ), (8, 1, Dynamic.PQ), (8, 4, Dynamic.HLG),
     (8, 2, Dynamic.SDR)],
)  # fmt: skip
def test_dolby_vision_is_its_base_layer(
    profile: int, compatibility: int, dynamic: Dynamic, tmp_path: Path
) -> None:
    how = Tagged(bitstream=UNSPECIFIED, container=UNSPECIFIED)
    source = patches.make_patches(tmp_path / "clip.mp4", _SIGNALS, how)
    patches.add_box(source, patches.dolby_vision(profile, compatibility))
    video = probe_file(source).video
    assert video is not None
    decision = plan_file(source)
    said = [each.fix for each in decision.reasons if each.rule == "video.hdr"]

    assert (video.dynamic, video.dolby_vision_profile) == (dynamic, profile)
    assert isinstance(decision, Rejection) is (dynamic is Dynamic.DOLBY_VISION)
    assert len(said) == (dynamic is not Dynamic.SDR)


@pytest.mark.parametrize("fit", [Fit.CROP, Fit.PAD])
def test_another_shape_changes_nothing_about_colours(fit: Fit, tmp_path: Path) -> None:
    """A crop is cut before it is scaled, a padded picture scaled before it is turned."""
    colour = (0.55, 0.4, 0.3)
    source = patches.make_patches(
        tmp_path / "clip.mp4", [colour] * patches.MOST, Tagged(bitstream=HLG, container=HLG)
    )
    report = process_file(
        source, intent=Intent(ratio="16:9", fit=fit), target=Target(output=tmp_path / "out.mp4")
    )
    assert report.output is not None

    assert _middle(report.output) == pytest.approx(_bytes(converter(_AS_HLG)(*colour)), abs=3)


def _middle(path: Path) -> Colour:
    to_rgb = "crop=16:16,scale=in_color_matrix=bt709:in_range=limited:out_range=full,format=rgb24"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", to_rgb, "-frames:v", "1"]
    data = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    red, green, blue = (sum(data[n::3]) / len(data[n::3]) for n in range(3))
    return red, green, blue


# --- the LUT's file ------------------------------------------------------------------------------


def test_the_lut_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even for the time of the encode: a worker may be killed in the midst of it."""
    how = Tagged(bitstream=PQ, container=PQ)
    source = patches.make_patches(tmp_path / "clip.mp4", _SIGNALS, how)
    plan = plan_file(source)
    assert isinstance(plan, ClipPlan)
    assert plan.encoding is not None
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with av.open(str(source)) as container:
        frame = next(container.decode(video=0))
    graph = Graph(plan.encoding, threads=1)
    out = [*graph.filter(frame), *graph.finish()]

    assert [(each.width, each.format.name) for each in out] == [(patches.SIDE, "yuv420p")]
    assert list(scratch.iterdir()) == []
