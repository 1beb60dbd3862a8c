"""The bundled profile says what the design and the sources say."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import preprocess.profiles
from preprocess.geometry import Size
from preprocess.intent import Role
from preprocess.profiles import Level
from preprocess.profiles.load import load_profile

NAME = "seedance-2-0-mini"
FILE = Path(preprocess.profiles.__file__).with_name(f"{NAME}.toml")
PROFILE = load_profile(NAME)


def test_safe_satisfies_every_generation_of_the_limits() -> None:
    safe = PROFILE.accept(Level.SAFE)

    assert safe.containers == {"mp4"}
    assert safe.video_codecs == {"h264"}
    assert safe.pixel_formats == {"yuv420p", "yuvj420p"}
    assert safe.audio_codecs == {"mp4": {"aac", "mp3"}}
    assert (safe.min_duration_s, safe.max_duration_s) == (2, 15)
    assert (safe.min_area_px, safe.max_area_px) == (640 * 640, 834 * 1112)
    assert (safe.min_side_px, safe.max_side_px, safe.side_multiple) == (300, 6000, 2)
    assert (safe.min_aspect, safe.max_aspect) == (Fraction(2, 5), Fraction(5, 2))
    assert (safe.min_rate, safe.max_rate) == (24, 60)
    assert safe.max_bytes == 50_000_000
    assert not safe.allow_private_metadata


def test_documented_adds_mov_hevc_pcm_pixels_and_bytes() -> None:
    safe, documented = PROFILE.accept(Level.SAFE), PROFILE.accept(Level.DOCUMENTED)

    assert documented.containers == {"mp4", "mov"}
    assert documented.video_codecs == {"h264", "hevc"}
    assert documented.audio_codecs["mp4"] == {"aac", "mp3"}
    assert documented.audio_codecs["mov"] > {"aac", "mp3", "pcm_s16le", "pcm_s16be", "pcm_s24le"}
    assert (documented.min_area_px, documented.max_area_px) == (409_600, 3326 * 2494)
    assert documented.max_bytes == 200_000_000
    changed = {"containers", "video_codecs", "audio_codecs", "max_area_px", "max_bytes"}
    assert {
        field for field, value in asdict(documented).items() if value != getattr(safe, field)
    } == changed


def test_trusted_is_documented_with_wider_lengths_and_its_own_metadata() -> None:
    documented, trusted = PROFILE.accept(Level.DOCUMENTED), PROFILE.accept(Level.TRUSTED)

    own: dict[str, Any] = {
        "min_duration_s": Fraction("1.8"),
        "max_duration_s": Fraction("15.2"),
        "allow_private_metadata": True,
    }
    assert trusted == replace(documented, **own)


def test_the_target_is_a_small_mp4() -> None:
    target, safe = PROFILE.target, PROFILE.accept(Level.SAFE)

    named = (target.container, target.video_codec, target.pixel_format, target.audio_codec)
    assert named == ("mp4", "h264", "yuv420p", "aac")
    assert (target.audio_sample_rates_hz, target.max_audio_channels) == ((44_100, 48_000), 2)
    assert target.size_limits == safe.size_limits
    assert (target.min_duration_s, target.max_duration_s) == (2, 15)
    assert (target.min_rate, target.max_rate, target.max_bytes) == (24, 60, 50_000_000)


def test_the_tolerances_are_exact() -> None:
    tolerances = PROFILE.tolerances

    assert (tolerances.cut_tolerance_s, tolerances.tail_tolerance_s) == (Fraction(1, 2), 1)
    assert tolerances.rate_snap == Fraction(1, 200)
    assert (tolerances.constant_s, tolerances.rewrite_s) == (Fraction(1, 500), Fraction(1, 100))


@pytest.mark.parametrize(
    ("mode", "required", "possible", "window"),
    [
        ("t2v", set(), set(), None),
        ("i2v_first", {"image"}, {"image"}, None),
        ("i2v_both", {"image", "image_end"}, {"image", "image_end"}, None),
        ("reference", set(), {"image", "video"}, "head"),
        ("edit", {"video"}, {"image", "video"}, "head"),
        ("extend", {"video"}, {"image_end", "video"}, "tail"),
    ],
)
def test_the_modes_take_the_documented_media(
    mode: str, required: set[str], possible: set[str], window: str | None
) -> None:
    spec = PROFILE.modes[mode]

    assert {field for field, media in spec.media.items() if media.use == "required"} == required
    assert set(spec.media) == possible
    assert spec.window == window


def test_roles_follow_the_modes() -> None:
    assert PROFILE.modes["i2v_both"].roles == (Role.FIRST_FRAME, Role.LAST_FRAME)
    assert PROFILE.modes["edit"].roles == (Role.EDIT_VIDEO, Role.REFERENCE_IMAGE)
    assert PROFILE.modes["extend"].roles[0] is Role.EXTEND_VIDEO
    assert not PROFILE.modes["extend"].media["image_end"].proven


def test_a_clip_in_the_request_has_its_own_price() -> None:
    assert PROFILE.price(Fraction(15)) == {"480p": 0.167, "720p": 0.359}
    assert PROFILE.price(Fraction(15), with_video=False) == {"480p": 0.070, "720p": 0.150}


def test_frame_sizes_are_the_vendors_not_computed() -> None:
    assert PROFILE.sizes["480p"]["16:9"] == Size(864, 496)
    assert PROFILE.sizes["720p"]["3:4"] == Size(834, 1112)
    assert sum(map(len, PROFILE.sizes.values())) == 12


def test_parameters_are_those_of_the_model_page() -> None:
    duration = PROFILE.parameters["duration"]

    assert (duration.type, duration.default, duration.min, duration.max) == ("integer", 5, 4, 15)
    assert duration.only_with == "custom_duration"
    assert PROFILE.parameters["resolution"].allowed == ("480p", "720p")
    assert PROFILE.parameters["prompt"].required
    assert not {"seed", "camera_fixed", "frames"} & set(PROFILE.parameters)


def test_images_have_a_hard_and_a_target_size() -> None:
    images = PROFILE.images

    assert images.target_formats == {"jpeg", "png"}
    assert images.formats > {"webp", "heic"}
    assert (images.target_max_bytes, images.max_bytes) == (10_000_000, 29_999_999)
    assert (images.min_side_px, images.max_side_px, images.max_area_px) == (300, 6000, 36_000_000)


def test_every_limit_has_a_source_that_resolves() -> None:
    for limit in PROFILE.limits:
        assert set(limit.sources) <= set(PROFILE.sources), limit.key
        assert limit.date, limit.key


def test_no_number_stands_outside_a_sourced_limit() -> None:
    """Asked of the bare file, so that it holds whatever the loader makes of it."""

    def unsourced(node: Any, key: str, sourced: bool) -> list[str]:  # noqa: ANN401, FBT001 - a tree
        if isinstance(node, dict):
            here = sourced or {"source", "date"} <= set(node)
            return [bad for k, v in node.items() for bad in unsourced(v, f"{key}.{k}", here)]
        return [] if isinstance(node, str) or sourced else [key]

    tree = tomllib.loads(FILE.read_text())

    assert unsourced(tree, "", sourced=False) == []


def test_limits_read_as_text() -> None:
    said = {limit.key: limit.text for limit in PROFILE.limits}

    assert said["accept.safe.area_px"] == "min 409600, max 927408"
    assert said["accept.trusted.track_duration_s"] == "max 15.2"
    assert said["accept.safe.private_metadata"] == "allowed no"
    assert said["target.container"] == "mp4"
