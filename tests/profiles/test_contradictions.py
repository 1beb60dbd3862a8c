"""A profile that contradicts itself is refused, with the line that has to change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import preprocess.profiles
from preprocess.errors import ProfileInvalid
from preprocess.profiles import Level, Profile
from preprocess.profiles.parse import parse_profile

TEXT = Path(preprocess.profiles.__file__).with_name("seedance-2-0-mini.toml").read_text()


@dataclass(frozen=True)
class Slip:
    """One edit of the real file, and what has to be said about it."""

    table: str
    old: str
    new: str
    key: str
    says: str
    elsewhere: str | None = None
    """What stands on the line that is named, where that is not the edited one."""

    def __str__(self) -> str:
        return f"{self.table}: {self.new or 'without ' + self.old}"

    def text(self) -> str:
        at = TEXT.index(self.old, TEXT.index(f"[{self.table}]"))
        return TEXT[:at] + self.new + TEXT[at + len(self.old) :]

    def line(self) -> int:
        start = TEXT.index(f"[{self.table}]")
        at = TEXT.index(self.elsewhere or self.old, start)
        return TEXT[:at].count("\n") + 1


SAFE, DOCUMENTED, TRUSTED = "accept.safe", "accept.documented", "accept.trusted"
SLIPS = [
    # min > max, and limits no size can satisfy
    Slip(SAFE, "min = 409_600", "min = 930_000", "accept.safe.area_px.min", "above max 927408"),
    Slip(SAFE, "min = 300", "min = 6002", "accept.safe.side_px.min", "min 6002 is above max 6000"),
    Slip(SAFE, "max = 2.50", "max = 0.3", "accept.safe.aspect.min", "min 0.4 is above max 0.3"),
    Slip(SAFE, "max = 60,", "max = 23.976,", "accept.safe.frame_rate.min", "above max 23.976"),
    Slip(SAFE, "min = 2.0", "min = 16", "accept.safe.picture_duration_s.min", "longest track, 15"),
    Slip(
        SAFE, "max = 927_408", "max = 80_000", "accept.safe.area_px.max", "below the smallest size"
    ),
    Slip(TRUSTED, "max = 15.2", "max = 1.5", "accept.trusted.track_duration_s.max", "narrower"),
    # a limit below its own multiple
    Slip(SAFE, "value = 2,", "value = 8192,", "accept.safe.side_multiple", "no multiple of 8192"),
    Slip("target", "value = 2,", "value = 7000,", "target.side_multiple", "no multiple of 7000"),
    # a level narrower than the one before it
    Slip(DOCUMENTED, '["mp4", "mov"]', '["mov"]', "accept.documented.containers", "mp4 is missing"),
    Slip(
        DOCUMENTED,
        "max = 200_000_000",
        "max = 49_999_999",
        "accept.documented.size_bytes.max",
        "narrower than safe: max 49999999 is under 50000000",
    ),
    Slip(TRUSTED, "min = 1.8", "min = 2.1", "accept.trusted.picture_duration_s.min", "narrower"),
    Slip(
        DOCUMENTED,
        "audio_codecs.mov",
        "audio_codecs.mkv",
        "accept.documented.audio_codecs.mkv",
        "mkv",
    ),
    # the target outside accept
    Slip("target", 'value = "mp4"', 'value = "mov"', "target.container", "mov is not among mp4"),
    Slip("target", 'value = "yuv420p"', 'value = "yuv422p"', "target.pixel_format", "not among"),
    Slip("target", "max = 15.0", "max = 15.1", "target.track_duration_s.max", "outside accept"),
    Slip("target", "min = 24", 'min = "24000/1001"', "target.frame_rate.min", "outside accept"),
    Slip("target", "value = 2,", "value = 3,", "target.side_multiple.value", "3 is no multiple"),
    # sizes
    Slip("sizes.480p", "width_px = 864", "width_px = 863", 'sizes.480p."16:9"', "outside the lim"),
    Slip("sizes.480p", '"9:16"', '"16:10"', 'sizes.480p."16:10"', "not of that shape"),
    Slip("sizes.720p", '"21:9"', '"wide"', "sizes.720p.wide", "a ratio is written W:H"),
    Slip("sizes.720p", "[sizes.720p]", "[sizes.1080p]", "sizes.1080p", "does not allow 1080p"),
    # sources
    Slip(SAFE, '"S12"', '"S99"', "accept.safe.area_px.source", "[sources] has no S99"),
    Slip(SAFE, 'source = ["S1", "E1"], ', "", "accept.safe.containers", "source is missing"),
    Slip("modes.edit", 'date = "2026"', "", "modes.edit", "date is missing", "[modes.edit]"),
    Slip("tolerances", '"2026-11"', '"2026-13"', "tolerances.cut_tolerance_s.date", "not a date"),
    # prices
    Slip("prices.480p", "0.070", "-0.070", "prices.480p.without_video.usd_per_s", "below 0"),
    Slip("prices.720p", "with_video = {", "with_vid = {", "prices.720p.with_vid", "unknown key"),
    # typing slips
    Slip(SAFE, "max = 15.0", "mx = 15.0", "accept.safe.track_duration_s", "max is missing"),
    Slip(SAFE, "side_px = {", "sides_px = {", "accept.safe.sides_px", "unknown key"),
    Slip(TRUSTED, "[accept.trusted]", "[accept.trustd]", "accept.trustd", "not trustd"),
    Slip(SAFE, "min = 300", "min = 300.0", "accept.safe.side_px.min", "not a whole number"),
    Slip(SAFE, "max = 60,", "max = nan,", "accept.safe.frame_rate.max", "not an exact number"),
    Slip(SAFE, "max = 60,", 'max = "60/0",', "accept.safe.frame_rate.max", "not an exact number"),
    Slip(SAFE, "max = 60,", "max = -60,", "accept.safe.frame_rate.max", "-60 is not above 0"),
    Slip(SAFE, "max = 60,", "max = true,", "accept.safe.frame_rate.max", "not an exact number"),
    Slip(
        SAFE,
        "size_bytes = {",
        "# size_bytes = {",
        "accept.safe.size_bytes",
        "is missing",
        "[accept.safe]",
    ),
    Slip(SAFE, "allowed = false", "allowed = 0", "accept.safe.private_metadata.allowed", "boolean"),
    # tolerances, images, modes, parameters
    Slip("tolerances", "0.002", "0.012", "tolerances.constant_s", "0.012 is above rewrite_s"),
    Slip("tolerances", "0.005", "0.02", "tolerances.rate_snap", "24 and 25 snap"),
    Slip("images", '["jpeg", "png"]', '["jpeg", "jxl"]', "images.target_formats", "jxl is missing"),
    Slip(
        "modes.extend",
        'window = "tail"',
        "",
        "modes.extend.window",
        "takes a clip",
        "[modes.extend]",
    ),
    Slip("modes.extend", '"extend_video"', '"last_frame"', "modes.extend.media.video.role", "cann"),
    Slip("modes.extend", "[modes.extend]", "[modes.continue]", "modes.continue", "does not allow"),
    Slip("parameters", "default = 5", "default = 3", "parameters.duration.default", "3 is outside"),
    Slip("parameters", '"custom_duration"', '"seed"', "parameters.duration.only_with", "boolean"),
    Slip(
        "parameters",
        'image = { type = "url"',
        'image = { type = "url", max = 9',
        "parameters.image.max",
        "only an integer or a string",
    ),
    Slip(
        "parameters",
        'prompt = { type = "string"',
        'prompt = { type = "string", min = 1',
        "parameters.prompt.min",
        "only an integer",
    ),
]


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_is_refused_with_its_line_and_key(slip: Slip) -> None:
    with pytest.raises(ProfileInvalid) as caught:
        parse_profile(slip.text(), file="x.toml")

    start = f"x.toml:{slip.line()}: {slip.key}: "
    told = [line for line in str(caught.value).splitlines() if line.startswith(start)]
    assert told, f"nothing starts with {start!r} in:\n{caught.value}"
    assert any(slip.says in line for line in told)


def test_all_contradictions_are_told_at_once_in_the_order_of_the_file() -> None:
    text = TEXT
    for old, new in (
        ("usd_per_s = 0.070", "usd_per_s = -1"),
        ("min = 300, max = 6000", "min = 300, mxa = 6000"),
        ("rewrite_s = { value = 0.010", "rewrite_s = { value = 0.001"),
        (
            'audio_codec = { value = "aac", source = "S1"',
            'audio_codec = { value = "aac", source = "?"',
        ),
        ('"4:3" = { width_px = 752', '"4:3" = { width_px = 800'),
    ):
        assert old in text
        text = text.replace(old, new, 1)

    with pytest.raises(ProfileInvalid) as caught:
        parse_profile(text, file="x.toml")

    keys = [line.split(": ")[1] for line in str(caught.value).splitlines()]
    assert keys == [
        "accept.safe.side_px.mxa",
        "accept.safe.side_px.max",
        "target.audio_codec.source",
        "tolerances.constant_s",
        'sizes.480p."4:3"',
        "prices.480p.without_video.usd_per_s",
    ]


def test_one_wrong_limit_is_told_once_not_for_every_level_that_inherits_it() -> None:
    text = TEXT.replace("min = 300", "min = 6002")

    with pytest.raises(ProfileInvalid) as caught:
        parse_profile(text, file="x.toml")

    keys = [line.split(": ")[1] for line in str(caught.value).splitlines()]
    assert keys == ["accept.safe.side_px.min", "target.side_px.min", "images.side_px.min"]


# --- any single value replaced by any other ----------------------------------------------------

VALUE = re.compile(r"(?<== )(?:\[[^\]\n]*\]|\"[^\"\n]*\"|[\w.]+)")
SPOTS = [match.span() for match in VALUE.finditer(TEXT)]

scalars = (
    st.integers(-(10**20), 10**20).map(str)
    | st.integers(0, 10**4).map(str)
    | st.decimals(0, 10**4, places=3).map(str)
    | st.tuples(st.integers(0, 999), st.integers(0, 999)).map(lambda t: f'"{t[0]}/{t[1]}"')
    | st.sampled_from(
        ["true", "false", "inf", "-nan", "1e9", "1e-999999999", "2026-09-01", "0x10", '""', "{}"]
    )
    | st.sampled_from(['"mp4"', '"mov"', '"aac"', '"S1"', '"head"', '"720p"', '"4:3"', '"16/9"'])
)
values = scalars | st.lists(scalars, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")


def _loads(text: str) -> Profile | None:
    """The profile, or ``None`` where it is refused with a line for each problem."""
    try:
        return parse_profile(text, file="x.toml")
    except ProfileInvalid as refusal:
        for line in str(refusal).splitlines():
            assert re.match(r"x\.toml:[1-9]\d*: \S", line), line
        return None


@given(spot=st.sampled_from(SPOTS), value=values)
def test_any_replaced_value_loads_or_is_refused(spot: tuple[int, int], value: str) -> None:
    """What loads is consistent: levels widen, the target is inside the first one."""
    profile = _loads(TEXT[: spot[0]] + value + TEXT[spot[1] :])

    if profile is not None:
        for inner, outer in pairwise(profile.accept(level) for level in Level):
            assert inner.containers <= outer.containers
            assert inner.max_bytes <= outer.max_bytes
            assert inner.min_area_px >= outer.min_area_px
            assert outer.min_aspect <= inner.min_aspect <= inner.max_aspect <= outer.max_aspect
        safe, target = profile.accept(Level.SAFE), profile.target
        assert safe.min_duration_s <= target.min_duration_s <= target.max_duration_s
        assert target.max_duration_s <= safe.max_duration_s
        assert target.audio_codec in safe.audio_codecs[target.container]
        assert all(
            target.size_limits.allow(size)
            for table in profile.sizes.values()
            for size in table.values()
        )


@given(st.data())
def test_any_damaged_text_loads_or_is_refused(data: st.DataObject) -> None:
    """A file cut, doubled or scribbled into somewhere never raises anything else."""
    start = data.draw(st.integers(0, len(TEXT)), "start")
    length = data.draw(st.integers(0, 40), "length")
    scribble = data.draw(st.text(max_size=5) | st.sampled_from(['"', "[", "]]", "{", "'''", "\n"]))

    _loads(TEXT[:start] + scribble + TEXT[start + length :])
