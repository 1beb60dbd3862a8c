"""Each rule alone: the border it stands at, the route it asks for, what it tells."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from preprocess.facts import AudioTrack, Dynamic, EditShape, Facts, IndexPlace, StreamFacts
from preprocess.geometry import Orientation, Size
from preprocess.intent import AudioChoice, Fit, Intent, Limits, Short, parse_window
from preprocess.plan import AudioAction, AudioPlan, ClipPlan, Reason, Rejection, Route, ShortAction
from preprocess.planner import RULES, decide
from tests.decide.clips import (
    NTSC_30,
    PROFILE,
    audio_of,
    clip,
    closed,
    facts_of,
    gops_of,
    rules,
    table_of,
    video_of,
)

FRAME_S = Fraction(1024, 48_000)
REJECTED = None


def route_of(found: Facts, intent: Intent | None = None) -> Route | None:
    decision = decide(found, PROFILE, intent or Intent())
    return decision.route if isinstance(decision, ClipPlan) else REJECTED


def reason_of(found: Facts, intent: Intent | None = None) -> Reason:
    """The only reason."""
    (reason,) = decide(found, PROFILE, intent or Intent()).reasons
    return reason


def with_sound(**fields: Any) -> Facts:  # noqa: ANN401 - fields of AudioTrack
    found = clip(10)
    assert found.video is not None
    return facts_of(found.video, audio_of(10, **fields))


def audio_plan(found: Facts, intent: Intent | None = None) -> AudioPlan:
    decision = decide(found, PROFILE, intent or Intent())
    assert isinstance(decision, ClipPlan)
    return decision.audio


def test_every_rule_looks_at_one_thing_and_says_what() -> None:
    assert len(RULES) == len(set(RULES))
    for rule in RULES:
        assert rule.__doc__
        assert rule.__doc__.endswith(".")


def test_a_clip_inside_everything_is_kept() -> None:
    plan = decide(clip(10), PROFILE, Intent())

    assert isinstance(plan, ClipPlan)
    assert (plan.route, plan.reasons, plan.audio.action) == (Route.KEEP, (), AudioAction.COPY)
    assert (plan.expected.width_px, plan.expected.height_px) == (1280, 720)
    assert (plan.expected.frames, plan.expected.duration_s) == (300, 10)


def test_a_plan_is_priced_by_its_seconds() -> None:
    plan = decide(clip(20, gop=closed(30, 0)), PROFILE, Intent())

    assert isinstance(plan, ClipPlan)
    assert plan.price is not None
    assert plan.price.seconds == 15
    assert plan.price.usd_per_second == {"480p": 0.167, "720p": 0.359}


# --- picture -------------------------------------------------------------------------------------

PICTURE: list[tuple[dict[str, Any], str | None, Route | None]] = [
    ({"codec": "hevc"}, "video.codec", Route.ENCODE),
    ({"codec": "mpeg4"}, "video.codec", Route.ENCODE),
    ({"pixel_format": "yuvj420p", "full_range": True}, None, Route.KEEP),
    ({"pixel_format": "yuv420p10le"}, "video.pixel_format", Route.ENCODE),
    ({"pixel_format": None}, "video.pixel_format", Route.ENCODE),
    ({"alpha": True}, "video.alpha", Route.ENCODE),
    ({"profile": "High 10", "level": 62}, None, Route.KEEP),
    ({"orientation": Orientation.MIRRORED}, "video.rotation", Route.ENCODE),
    ({"orientation": None}, "video.rotation", REJECTED),
    ({"coded": Size(720, 1280), "orientation": Orientation.CLOCKWISE}, "video.rotation",
     Route.ENCODE),
    ({"coded": Size(960, 720), "sample_aspect": Fraction(4, 3)}, "video.pixel_aspect",
     Route.ENCODE),
    ({"color_matrix": None, "color_primaries": None, "color_transfer": None}, None, Route.KEEP),
    ({"color_matrix": "smpte170m", "color_primaries": "bt470bg"}, None, Route.KEEP),
    ({"color_transfer": "iec61966-2-1"}, None, Route.KEEP),
    ({"color_matrix": "bt2020nc"}, "video.colour", Route.ENCODE),
    ({"color_primaries": "smpte432"}, "video.colour", Route.ENCODE),
    ({"color_transfer": "linear"}, "video.colour", Route.ENCODE),
    ({"interlaced": None}, None, Route.KEEP),
    ({"coded": Size(640, 640)}, None, Route.KEEP),
    ({"coded": Size(638, 642)}, "video.area", Route.ENCODE),
    ({"coded": Size(834, 1112)}, None, Route.KEEP),
    ({"coded": Size(836, 1112)}, "video.area", Route.ENCODE),
    ({"coded": Size(1920, 1080)}, "video.area", Route.ENCODE),
    ({"coded": Size(1281, 720)}, "video.sides", Route.ENCODE),
    ({"coded": Size(1280, 719)}, "video.sides", Route.ENCODE),
    ({"coded": Size(1520, 608)}, None, Route.KEEP),
    ({"coded": Size(1522, 608)}, "video.aspect", Route.ENCODE),
    ({"coded": Size(608, 1520)}, None, Route.KEEP),
    ({"coded": Size(608, 1522)}, "video.aspect", Route.ENCODE),
    ({"edit": EditShape.PLAIN}, None, Route.KEEP),
    ({"edit": EditShape.TRIMS}, "video.edit_list", Route.REWRAP),
    ({"edit": EditShape.COMPLEX}, "video.edit_list", Route.ENCODE),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "rule", "route"), PICTURE)
def test_a_property_of_the_picture_asks_for_its_route(
    fields: dict[str, Any], rule: str | None, route: Route | None
) -> None:
    found = clip(10, gop=closed(30), **fields)

    assert rules(decide(found, PROFILE, Intent())) == ({rule} if rule else set())
    assert route_of(found) == route


def test_sides_have_limits_of_their_own() -> None:
    """With the real limits of area and shape no side can be under 300 or over 6000."""
    accepts = {
        level: replace(accept, min_side_px=720, max_side_px=1280)
        for level, accept in PROFILE.accepts.items()
    }
    profile = replace(PROFILE, accepts=accepts)

    def said(size: Size) -> set[str]:
        return rules(decide(clip(4, coded=size), profile, Intent()))

    assert said(Size(1280, 720)) == set()
    assert said(Size(1282, 720)) == {"video.sides"}
    assert said(Size(1280, 718)) == {"video.sides"}


@pytest.mark.parametrize(
    ("dynamic", "dolby", "said"),
    [
        (Dynamic.PQ, None, "HDR (PQ)"),
        (Dynamic.HLG, None, "HDR (HLG)"),
        (Dynamic.HLG, 8, "HDR (HLG, Dolby Vision profile 8)"),
    ],
)
def test_hdr_is_tone_mapped_and_said_so(dynamic: Dynamic, dolby: int | None, said: str) -> None:
    found = clip(
        10,
        dynamic=dynamic,
        dolby_vision_profile=dolby,
        color_transfer="smpte2084" if dynamic is Dynamic.PQ else "arib-std-b67",
        color_primaries="bt2020",
        color_matrix="bt2020nc",
    )
    plan = decide(found, PROFILE, Intent())

    assert isinstance(plan, ClipPlan)
    assert plan.route is Route.ENCODE
    assert [(each.rule, each.measured, each.fix) for each in plan.reasons] == [
        ("video.hdr", said, "tone-mapped to SDR")
    ]


def test_dolby_vision_that_nothing_else_can_show_is_refused() -> None:
    found = clip(10, dynamic=Dynamic.DOLBY_VISION, dolby_vision_profile=5)
    decision = decide(found, PROFILE, Intent())

    assert isinstance(decision, Rejection)
    assert [reason.rule for reason in decision.reasons] == ["video.hdr"]
    assert decision.reasons[0].measured.startswith("Dolby Vision profile 5 without")


@pytest.mark.parametrize("dynamic", [Dynamic.SDR, Dynamic.PQ])
@pytest.mark.parametrize("matrix", ["ictcp", "bt2020c", "ycgco"])
def test_a_matrix_that_cannot_be_undone_is_refused_not_taken_for_another(
    matrix: str, dynamic: Dynamic
) -> None:
    decision = decide(clip(10, color_matrix=matrix, dynamic=dynamic), PROFILE, Intent())

    assert isinstance(decision, Rejection)
    assert "video.colour" in rules(decision)


def test_fields_are_named_not_woven_silently() -> None:
    assert rules(decide(clip(10, interlaced=True), PROFILE, Intent())) == {"video.scan"}


@pytest.mark.parametrize(
    ("ratio", "rule"),
    [("adaptive", None), ("16:9", None), ("1280:717", None), ("1280:713", "video.ratio"),
     ("1:1", "video.ratio")],
)  # fmt: skip
def test_a_shape_that_was_asked_for_is_made(ratio: str, rule: str | None) -> None:
    """Half a per cent is a row or two, and not worth an encode."""
    intent = Intent(ratio=ratio)

    assert rules(decide(clip(10), PROFILE, intent)) == ({rule} if rule else set())
    assert route_of(clip(10), intent) == (Route.ENCODE if rule else Route.KEEP)


@pytest.mark.parametrize("fit", [Fit.PAD, Fit.BLUR])
def test_only_another_shape_is_padded(fit: Fit) -> None:
    plan = decide(clip(10), PROFILE, Intent(ratio="1:1", fit=fit))

    assert rules(plan) == {"video.ratio"}
    assert isinstance(plan, ClipPlan)
    assert plan.encoding is not None
    assert plan.encoding.blur is (fit is Fit.BLUR)
    assert route_of(clip(10), Intent(fit=fit)) == Route.KEEP


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "rule", "route"),
    [
        (24, None, Route.KEEP),
        (60, None, Route.KEEP),
        (NTSC_30, None, Route.KEEP),
        (48, None, Route.KEEP),
        (Fraction("29.833"), None, Route.KEEP),
        (Fraction(24_000, 1001), "video.frame_rate", Route.REWRAP),
        (Fraction("23.9"), "video.frame_rate", Route.ENCODE),
        (15, "video.frame_rate", Route.ENCODE),
        (61, "video.frame_rate", Route.ENCODE),
        (120, "video.frame_rate", Route.ENCODE),
    ],
)
def test_a_constant_rate_inside_the_limits_is_fine(
    rate: Fraction | int, rule: str | None, route: Route
) -> None:
    found = clip(10, Fraction(rate), closed(30, 0), sound=False)

    assert rules(decide(found, PROFILE, Intent())) == ({rule} if rule else set())
    assert route_of(found) == route


@pytest.mark.parametrize(
    ("limits", "pictures", "ok"),
    [
        (Limits.SAFE, 60, True),
        (Limits.SAFE, 59, False),
        (Limits.TRUSTED, 54, True),
        (Limits.TRUSTED, 53, False),
    ],
)
def test_a_picture_lasts_two_seconds_at_least(limits: Limits, pictures: int, *, ok: bool) -> None:
    found = clip(Fraction(pictures, 30))

    assert (route_of(found, Intent(limits=limits)) is Route.KEEP) == ok
    assert rules(decide(found, PROFILE, Intent(limits=limits))) == (
        set() if ok else {"video.short"}
    )


@pytest.mark.parametrize(
    ("short", "action"), [(Short.HOLD, ShortAction.HOLD), (Short.LOOP, ShortAction.LOOP)]
)
def test_a_short_clip_is_filled_to_two_seconds_if_asked(short: Short, action: ShortAction) -> None:
    plan = decide(clip(1), PROFILE, Intent(short=short))
    long_enough = decide(clip(2, coded=Size(1920, 1080)), PROFILE, Intent(short=short))

    assert isinstance(plan, ClipPlan)
    assert (plan.route, plan.short, plan.expected.frames) == (Route.ENCODE, action, 60)
    assert len(plan.source_pts) == 30
    assert plan.audio.action is (AudioAction.ENCODE if short is Short.LOOP else AudioAction.COPY)
    assert isinstance(long_enough, ClipPlan)
    assert (long_enough.short, long_enough.expected.frames) == (ShortAction.NONE, 60)


def test_a_fill_is_rounded_up_to_whole_pictures() -> None:
    plan = decide(clip(1, NTSC_30), PROFILE, Intent(short=Short.HOLD))

    assert isinstance(plan, ClipPlan)
    assert plan.expected.frames == 60
    assert plan.expected.duration_s == Fraction(60 * 1001, 30_000)


@pytest.mark.parametrize(
    ("limits", "pictures", "route"),
    [
        (Limits.SAFE, 450, Route.KEEP),
        (Limits.SAFE, 451, Route.CUT),
        (Limits.DOCUMENTED, 451, Route.CUT),
        (Limits.TRUSTED, 456, Route.KEEP),
        (Limits.TRUSTED, 457, Route.CUT),
    ],
)
def test_the_longest_track_has_the_length_of_its_level(
    limits: Limits, pictures: int, route: Route
) -> None:
    found = clip(Fraction(pictures, 30), gop=closed(30, 0))
    plan = decide(found, PROFILE, Intent(limits=limits))

    assert isinstance(plan, ClipPlan)
    assert plan.route is route
    if route is Route.CUT:
        assert (plan.expected.frames, plan.expected.max_duration_s) == (450, 15)


@pytest.mark.parametrize("window", [None, "0..14.9"])
def test_what_a_cut_would_give_up_is_not_said_of_an_encode(window: str | None) -> None:
    """The pictures are all there where they are made anew for another reason."""
    intent = Intent(window=parse_window(window) if window else None)
    long = closed(600)

    cut = decide(clip(20, gop=long), PROFILE, intent)
    encoded = decide(clip(20, gop=long, coded=Size(1920, 1080)), PROFILE, intent)

    assert isinstance(cut, ClipPlan)
    assert isinstance(encoded, ClipPlan)
    assert (cut.route, encoded.route) == (Route.CUT, Route.ENCODE)
    kept = encoded.reasons[0].fix
    assert cut.reasons[0].fix == f"{kept}, less 0.067 s to a clean boundary"


def test_a_clip_that_is_only_rewrapped_may_keep_what_is_accepted() -> None:
    plan = decide(
        replace(clip(Fraction("15.1")), container="matroska"),
        PROFILE,
        Intent(limits=Limits.TRUSTED),
    )

    assert isinstance(plan, ClipPlan)
    assert (plan.route, plan.expected.frames) == (Route.REWRAP, 453)
    assert plan.expected.max_duration_s == Fraction("15.2")


def test_the_longest_track_counts_whether_edits_are_honoured_or_not() -> None:
    """15.02 s of media behind an edit list that shows 15.0 s."""
    hidden = clip(10)
    assert hidden.video is not None
    behind = replace(hidden.video, media_duration_s=Fraction("15.02"))
    priming = audio_of(Fraction(15), media_duration_s=15 + FRAME_S, edit=EditShape.PLAIN)
    late = audio_of(Fraction("14.99"), start_s=FRAME_S)

    assert route_of(facts_of(behind)) is Route.CUT
    assert route_of(facts_of(hidden.video, priming)) is Route.CUT
    assert "video.duration" in rules(decide(facts_of(hidden.video, late), PROFILE, Intent()))
    assert route_of(facts_of(hidden.video, audio_of(Fraction(10)))) is Route.KEEP


def test_an_unknown_length_is_longer_than_allowed() -> None:
    """The end was not read because the window ends before it."""
    found = facts_of(video_of(table_of(gops_of(closed(30, 0), 500)), duration_s=None))

    assert route_of(found) is Route.CUT
    assert reason_of(found).measured == "over 15 s"


# --- sound ---------------------------------------------------------------------------------------

SOUND: list[tuple[dict[str, Any], str | None, AudioAction]] = [
    ({}, None, AudioAction.COPY),
    ({"codec": "mp3", "frame_samples": 1152}, None, AudioAction.COPY),
    ({"channels": 6}, None, AudioAction.COPY),
    ({"codec": "opus"}, "audio.codec", AudioAction.ENCODE),
    ({"codec": "pcm_s16le"}, "audio.codec", AudioAction.ENCODE),
    ({"decodable": False}, "audio.undecodable", AudioAction.DROP),
    ({"sample_rate_hz": None}, "audio.undecodable", AudioAction.DROP),
    ({"channels": None}, "audio.undecodable", AudioAction.DROP),
    ({"codec": "opus", "channels": 0}, "audio.undecodable", AudioAction.DROP),
    ({"start_s": Fraction("0.025"), "duration_s": 9}, None, AudioAction.COPY),
    ({"start_s": Fraction("0.026"), "duration_s": 9}, "audio.start", AudioAction.ENCODE),
    ({"start_s": Fraction("0.1"), "duration_s": 9, "sample_rate_hz": 8000}, "audio.start",
     AudioAction.ENCODE),
    ({"start_s": Fraction(-1)}, None, AudioAction.COPY),
    ({"start_s": None}, None, AudioAction.COPY),
    ({"gap_s": FRAME_S}, None, AudioAction.COPY),
    ({"gap_s": FRAME_S + Fraction(1, 48_000)}, "audio.gaps", AudioAction.ENCODE),
    ({"edit": EditShape.PLAIN}, None, AudioAction.COPY),
    ({"edit": EditShape.TRIMS}, "audio.edit_list", AudioAction.COPY),
    ({"edit": EditShape.COMPLEX}, "audio.edit_list", AudioAction.ENCODE),
    ({"duration_s": 10 + FRAME_S}, None, AudioAction.COPY),
    ({"duration_s": 10 + FRAME_S + Fraction(1, 48_000)}, "audio.length", AudioAction.COPY),
    ({"duration_s": 10, "start_s": FRAME_S}, None, AudioAction.COPY),
    ({"duration_s": Fraction(3)}, None, AudioAction.COPY),
    ({"duration_s": None, "media_duration_s": None}, None, AudioAction.COPY),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "rule", "action"), SOUND)
def test_a_property_of_the_sound_is_a_rewrap_at_most(
    fields: dict[str, Any], rule: str | None, action: AudioAction
) -> None:
    """The picture is copied, whatever the sound needs."""
    found = with_sound(**fields)

    assert rules(decide(found, PROFILE, Intent())) == ({rule} if rule else set())
    assert route_of(found) is (Route.REWRAP if rule else Route.KEEP)
    assert audio_plan(replace(found, container="matroska")).action is action


def test_sound_that_is_late_is_told_once() -> None:
    """A late start is written as an edit; filling it with silence mends both."""
    found = with_sound(start_s=Fraction(1, 2), duration_s=Fraction(9), edit=EditShape.TRIMS)

    assert rules(decide(found, PROFILE, Intent())) == {"audio.start"}


def test_a_file_with_packets_of_many_lengths_is_not_copied() -> None:
    found = replace(with_sound(frame_samples=None), container="matroska")

    assert audio_plan(found).action is AudioAction.ENCODE


def test_sound_is_left_out_if_asked() -> None:
    drop = Intent(audio=AudioChoice.DROP)

    assert route_of(clip(10, sound=False), drop) is Route.KEEP
    assert route_of(clip(10), drop) is Route.REWRAP
    assert rules(decide(with_sound(codec="opus"), PROFILE, drop)) == {"audio.unwanted"}
    assert audio_plan(clip(10), drop) == AudioPlan(action=AudioAction.DROP)


def test_pcm_is_fine_in_mov_where_documented_and_encoded_where_mp4_is_written() -> None:
    found = replace(with_sound(codec="pcm_s16le"), container="mov")
    documented = Intent(limits=Limits.DOCUMENTED)

    assert route_of(found, documented) is Route.KEEP
    assert rules(decide(found, PROFILE, Intent())) == {"file.container", "audio.codec"}
    private = replace(found, private_metadata=("location",))
    assert rules(decide(private, PROFILE, documented)) == {"file.private_metadata"}
    assert audio_plan(private, documented).action is AudioAction.ENCODE


@pytest.mark.parametrize(
    ("rate", "written"),
    [(44_100, 44_100), (48_000, 48_000), (22_050, 44_100), (96_000, 48_000), (88_200, 44_100),
     (32_000, 48_000), (8000, 48_000), (11_025, 44_100), (16_000, 48_000), (12_345, 48_000)],
)  # fmt: skip
def test_encoded_sound_has_a_related_rate(rate: int, written: int) -> None:
    """A whole ratio needs no interpolation between the two families of rates."""
    assert audio_plan(with_sound(codec="opus", sample_rate_hz=rate)).sample_rate_hz == written


@pytest.mark.parametrize(("channels", "written", "bps"), [(1, 1, 96_000), (2, 2, 160_000),
                                                          (6, 2, 160_000)])  # fmt: skip
def test_encoded_sound_has_two_channels_at_most(channels: int, written: int, bps: int) -> None:
    plan = audio_plan(with_sound(codec="opus", channels=channels))

    assert (plan.channels, plan.bit_rate_bps, plan.stream) == (written, bps, 1)


# --- file ----------------------------------------------------------------------------------------

EXTRA = StreamFacts(index=2, kind="data", codec=None)
FILE: list[tuple[dict[str, Any], str | None]] = [
    ({"container": "matroska"}, "file.container"),
    ({"container": "mov"}, "file.container"),
    ({"container": None}, "file.container"),
    ({"index": IndexPlace.LAST}, None),
    ({"index": IndexPlace.FRAGMENTED}, "file.index"),
    ({"private_metadata": ("location",)}, "file.private_metadata"),
    ({"size_bytes": 50_000_000}, None),
    ({"size_bytes": 50_000_001}, "file.size"),
    ({"brands": ()}, None),
]


@pytest.mark.parametrize(("fields", "rule"), FILE)
def test_a_property_of_the_file_is_a_rewrap(fields: dict[str, Any], rule: str | None) -> None:
    found = replace(clip(10), **fields)

    assert rules(decide(found, PROFILE, Intent())) == ({rule} if rule else set())
    assert route_of(found) is (Route.REWRAP if rule else Route.KEEP)


def test_streams_that_are_not_used_are_left_out() -> None:
    found = clip(10)
    silent = clip(10, sound=False)
    second_sound = replace(EXTRA, kind="audio", codec="aac")

    for extra in (EXTRA, second_sound, replace(EXTRA, kind="video", codec="mjpeg")):
        more = replace(found, streams=(*found.streams, extra))
        assert rules(decide(more, PROFILE, Intent())) == {"file.streams"}
        assert route_of(more) is Route.REWRAP
    assert route_of(replace(silent, streams=(*silent.streams, EXTRA))) is Route.REWRAP
    assert route_of(silent) is Route.KEEP


def test_levels_accept_more_and_change_less() -> None:
    mov = replace(clip(10, codec="hevc", coded=Size(3326, 2494)), container="mov")
    mov = replace(mov, size_bytes=200_000_000)
    private = replace(mov, private_metadata=("make",))

    assert route_of(mov, Intent(limits=Limits.SAFE)) is Route.ENCODE
    assert route_of(mov, Intent(limits=Limits.DOCUMENTED)) is Route.KEEP
    assert route_of(private, Intent(limits=Limits.DOCUMENTED)) is Route.REWRAP
    assert route_of(private, Intent(limits=Limits.TRUSTED)) is Route.KEEP
    larger = replace(mov, size_bytes=200_000_001)
    assert "file.size" in rules(decide(larger, PROFILE, Intent(limits=Limits.DOCUMENTED)))


def heavy(picture_bytes: int) -> Facts:
    """A silent 60 s clip of 1800 pictures."""
    gops = gops_of(closed(30, 0), 1800)
    table = replace(table_of(gops), sizes=(picture_bytes,) * 1800)
    return facts_of(video_of(table), size_bytes=picture_bytes * 1800)


def test_a_large_file_is_copied_where_what_is_kept_fits() -> None:
    """450 pictures of 111,079 bytes and 32 bytes of index each are just under 50 MB."""
    fits, does_not = heavy(111_079), heavy(111_080)

    assert route_of(fits) is Route.CUT
    assert rules(decide(fits, PROFILE, Intent())) == {"video.duration", "file.size"}
    assert route_of(does_not) is Route.ENCODE
    plan = decide(fits, PROFILE, Intent(limits=Limits.DOCUMENTED))
    assert isinstance(plan, ClipPlan)
    assert plan.expected.max_bytes == 200_000_000


def test_sound_counts_where_it_is_kept() -> None:
    found = heavy(111_000)
    assert found.video is not None
    loud = audio_of(60, bytes_per_s=16_000.0)
    both = replace(facts_of(found.video, loud), size_bytes=found.size_bytes)

    assert route_of(both) is Route.ENCODE
    assert route_of(both, Intent(audio=AudioChoice.DROP)) is Route.CUT


def test_what_is_too_large_must_become_as_small_as_the_target() -> None:
    found = replace(clip(10), size_bytes=300_000_000, container="mov")
    documented = Intent(limits=Limits.DOCUMENTED)
    smaller, same = (
        decide(file, PROFILE, documented)
        for file in (found, replace(found, size_bytes=100_000_000, private_metadata=("make",)))
    )

    assert isinstance(smaller, ClipPlan)
    assert isinstance(same, ClipPlan)
    assert (smaller.route, smaller.expected.max_bytes) == (Route.REWRAP, 50_000_000)
    assert (same.route, same.expected.max_bytes) == (Route.REWRAP, 200_000_000)


# --- what is told --------------------------------------------------------------------------------


def test_numbers_in_reasons_are_numbers() -> None:
    length = reason_of(clip(20, gop=closed(30, 0)))
    area = reason_of(clip(4, coded=Size(1920, 1080)))
    short = reason_of(clip(1))

    assert (length.measured, length.limit) == ("20 s", "<= 15 s")
    assert (length.value, length.limit_value, length.unit) == (20.0, 15.0, "s")
    assert length.fix is not None
    assert "first 15 s" in length.fix
    assert (area.measured, area.limit) == ("1920x1080, 2,073,600 px", "<= 927,408 px")
    assert (area.value, area.limit_value, area.unit) == (2_073_600, 927_408, "px")
    assert short.sentence() == (
        "video.short: 1 s; allowed: >= 2 s; use a longer clip, or --short hold or loop"
    )


def test_a_cut_says_what_it_gives_up_and_an_encode_why_there_was_no_cut() -> None:
    table = table_of([closed(439, 0), closed(100, 60)])
    cut = reason_of(facts_of(video_of(table)))
    table = table_of([closed(409, 0), closed(100, 60)])
    encoded = reason_of(facts_of(video_of(table)))
    unsafe = reason_of(facts_of(video_of(replace(table, sync=()))))

    assert "0.333 s" in (cut.fix or "")
    assert "1.333 s" in (encoded.fix or "")
    assert "no proven start" in (unsafe.fix or "")
    assert ["encoded" in (reason.fix or "") for reason in (cut, encoded, unsafe)] == [
        False, True, True,
    ]  # fmt: skip


def test_a_track_that_is_not_there_is_asked_nothing() -> None:
    silent: AudioTrack | None = clip(10, sound=False).audio

    assert silent is None
    assert audio_plan(clip(20, sound=False)).action is AudioAction.DROP


def test_a_rejection_has_no_plan() -> None:
    decision = decide(clip(1), PROFILE, Intent())

    assert isinstance(decision, Rejection)
    assert not hasattr(decision, "route")
