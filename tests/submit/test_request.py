"""The request against the profile: modes, media, parameters, and all objections at once."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.errors import RequestRejected
from pipeline.request import GenerationRequest, Resolved, body, job_key, resolve, shown
from preprocess import Role, load_profile

PROFILE = load_profile("seedance-2-0-mini")
FIELDS = ("image", "image_end", "video")
SUBSETS = list(chain.from_iterable(combinations(FIELDS, n) for n in range(4)))
# By hand from reference/provider.md's matrix, not from the profile's tables.
TAKEN: dict[str, list[tuple[str, ...]]] = {
    "t2v": [()],
    "i2v_first": [("image",)],
    "i2v_both": [("image", "image_end")],
    "reference": [("image",), ("video",), ("image", "video")],
    "edit": [("video",), ("image", "video")],
    "extend": [("video",), ("image_end", "video")],
}
AUTO: dict[tuple[str, ...], str | None] = {
    (): "t2v",
    ("image",): "i2v_first",
    ("image", "image_end"): "i2v_both",
    ("video",): "edit",
    ("image", "video"): "edit",
    ("image_end", "video"): "extend",
    ("image_end",): None,
    ("image", "image_end", "video"): None,
}
SIGNED = "https://bucket.example/a.mp4?X-Amz-Signature=CANARY"


def asked(*media: str, **more: Any) -> GenerationRequest:  # noqa: ANN401 - what a user gives
    return GenerationRequest(
        **{"prompt": "make it snow", **{field: f"{field}.bin" for field in media}, **more}
    )


def resolved(*media: str, **more: Any) -> Resolved:  # noqa: ANN401 - as above
    return resolve(asked(*media, **more), PROFILE)


def objections(*media: str, **more: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - as above
    with pytest.raises(RequestRejected) as caught:
        resolved(*media, **more)
    for reason in caught.value.reasons:
        assert reason.measured
        assert reason.limit
        assert reason.rule in str(caught.value)
    return [(reason.rule, reason.measured) for reason in caught.value.reasons]


def rules(*media: str, **more: Any) -> list[str]:  # noqa: ANN401 - as above
    return [rule for rule, _ in objections(*media, **more)]


# --- modes and media -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", TAKEN)
@pytest.mark.parametrize("media", SUBSETS, ids="+".join)
def test_a_mode_takes_its_media_and_no_others(mode: str, media: tuple[str, ...]) -> None:
    if media in TAKEN[mode]:
        assert resolved(*media, mode=mode).mode == mode
    else:
        assert set(rules(*media, mode=mode)) == {"request.media"}


@pytest.mark.parametrize("media", SUBSETS, ids="+".join)
def test_auto_is_decided_from_the_media_and_sent(media: tuple[str, ...]) -> None:
    wanted = AUTO[media]
    if wanted is None:
        assert rules(*media) == ["request.mode"]
        return
    for request in (resolved(*media), resolved(*media, mode="auto")):
        assert request.mode == wanted
        assert body(request, dict.fromkeys(media, "u"))["mode"] == wanted


def test_every_medium_that_is_wrong_is_named() -> None:
    told = objections("image_end", mode="i2v_first")

    assert told == [
        ("request.media", "no image, in mode i2v_first"),
        ("request.media", "image_end given, in mode i2v_first"),
    ]


def test_roles_follow_from_mode_and_field() -> None:
    assert resolved("image", "image_end").roles == {
        "image": Role.FIRST_FRAME,
        "image_end": Role.LAST_FRAME,
    }
    assert resolved("image", "video", mode="edit").roles == {
        "image": Role.REFERENCE_IMAGE,
        "video": Role.EDIT_VIDEO,
    }


# --- parameters ----------------------------------------------------------------------------------


def test_defaults_are_the_documented_ones_and_are_sent() -> None:
    assert body(resolved(), {}) == {
        "model": "seedance-2-0-mini",
        "prompt": "make it snow",
        "mode": "t2v",
        "resolution": "720p",
        "aspect_ratio": "adaptive",
        "custom_duration": True,
        "duration": 5,
        "generate_audio": True,
        "negative_prompt": "",
    }


@pytest.mark.parametrize("duration", [4, 15, 7.0])
def test_whole_seconds_in_range_are_taken(duration: float) -> None:
    sent = body(resolved(duration=duration), {})["duration"]

    assert sent == duration
    assert isinstance(sent, int)


@pytest.mark.parametrize("duration", [3, 16, 0, -5, 4.5, float("nan"), float("inf"), 10**400])
def test_other_durations_are_refused(duration: float) -> None:
    assert rules(duration=duration) == ["request.duration"]


def test_without_a_duration_of_ones_own_none_is_sent() -> None:
    assert "duration" not in body(resolved(custom_duration=False), {})


def test_a_duration_beside_custom_duration_false_is_a_contradiction() -> None:
    assert objections(custom_duration=False, duration=5) == [
        ("request.duration", "5, and custom_duration is false")
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("resolution", "1080p"), ("aspect_ratio", "3:2"), ("mode", "r2v"), ("mode", "")],
)
def test_choices_are_those_of_the_profile(name: str, value: str) -> None:
    assert rules(**{name: value}) == [f"request.{name}"]


@pytest.mark.parametrize("prompt", ["", " \n\t", "x" * 10_001, "half \ud83d of a pair"])
def test_a_prompt_that_says_nothing_or_too_much_is_refused(prompt: str) -> None:
    assert rules(prompt=prompt) == ["request.prompt"]


def test_a_negative_prompt_may_be_empty_but_not_huge() -> None:
    assert resolved(negative_prompt="").parameters["negative_prompt"] == ""
    assert rules(negative_prompt="x" * 10_001) == ["request.negative_prompt"]


def test_a_model_that_is_not_the_profiles_is_refused() -> None:
    assert rules(model="seedance-2-0-pro") == ["request.model"]


def test_what_the_profile_has_no_parameter_for_is_refused() -> None:
    without = {k: v for k, v in PROFILE.parameters.items() if k != "negative_prompt"}
    other = replace(PROFILE, parameters=without)
    with pytest.raises(RequestRejected) as caught:
        resolve(asked(negative_prompt="fog"), other)

    assert [reason.rule for reason in caught.value.reasons] == ["request.negative_prompt"]
    assert "negative_prompt" not in body(resolve(asked(), other), {})


def test_all_objections_come_at_once() -> None:
    told = rules(
        *("image", "image_end"),
        mode="extend",
        prompt="",
        duration=99,
        aspect_ratio="2:1",
        model="x",
        resolution="4k",
    )

    assert set(told) == {
        "request.model",
        "request.prompt",
        "request.resolution",
        "request.aspect_ratio",
        "request.duration",
        "request.media",
    }
    assert told.count("request.media") == 2  # no video, and image is none of extend's


@pytest.mark.parametrize("seed", [{"seed": 3}, {"camera_fixed": True}, {"images": []}])
def test_unknown_parameters_are_an_error(seed: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        asked(**seed)


@pytest.mark.parametrize(
    "wrong", [{"duration": "5"}, {"generate_audio": "yes"}, {"custom_duration": 1}, {"prompt": 3}]
)
def test_types_are_not_guessed(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        asked(**wrong)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, st.sampled_from(["a", ""]))), st.data()
)
def test_resolving_is_total(media: dict[str, str], data: st.DataObject) -> None:
    """Whatever pydantic lets through is resolved or refused, never an accident."""
    parameters = {
        "mode": st.none() | st.sampled_from(["auto", *TAKEN]) | st.text(max_size=5),
        "duration": st.none() | st.integers() | st.floats(),
        "custom_duration": st.none() | st.booleans(),
        "resolution": st.none() | st.sampled_from(["480p", "720p", "1080p"]),
        "prompt": st.text(max_size=5),
    }
    values = {name: data.draw(strategy) for name, strategy in parameters.items()}
    request = asked(**{**values, **media})
    try:
        found = resolve(request, PROFILE)
    except RequestRejected:
        return
    sent = body(found, dict.fromkeys(media, "https://a.example/b"))
    assert tuple(media[f] for f in FIELDS if f in media) == ("a",) * len(media)
    assert tuple(f for f in FIELDS if f in media) in TAKEN[found.mode]
    assert set(sent) <= {"model", *PROFILE.parameters}
    assert ("duration" in sent) == bool(sent["custom_duration"])


# --- media, as they are given and shown ----------------------------------------------------------


def test_a_medium_is_a_path_a_url_bytes_or_a_file(tmp_path: Any) -> None:  # noqa: ANN401 - a path
    for medium in ("a.jpg", tmp_path, b"bytes", io.BytesIO(b"x"), "https://a.example/b.jpg"):
        assert asked(image=medium).media == {"image": medium}
    assert asked(image=None).media == {}
    with pytest.raises(ValidationError, match="no medium"):
        asked(image=7)


@pytest.mark.parametrize("empty", ["", b""], ids=repr)
def test_an_empty_medium_is_refused(empty: object) -> None:
    assert rules(image=empty) == ["request.media"]


def test_no_signature_and_no_megabytes_are_shown() -> None:
    text = repr(asked(video=SIGNED, image=b"x" * 10**6))

    assert "CANARY" not in text
    assert "https://bucket.example/a.mp4" in text
    assert "1000000 bytes" in text
    assert shown("https://user:CANARY@a.example:8443/x#CANARY") == "https://a.example:8443/x"
    assert "CANARY" not in shown("data:image/png;base64,CANARY")


# --- what is posted ------------------------------------------------------------------------------


def test_a_body_needs_the_url_of_every_medium_and_no_other() -> None:
    request = resolved("image", "video", mode="edit")
    with pytest.raises(ValueError, match="image and video"):
        body(request, {"video": "u"})
    with pytest.raises(ValueError, match="are needed"):
        body(resolved(), {"video": "u"})

    sent = body(request, {"video": "https://v.example/", "image": "https://i.example/"})
    assert (sent["image"], sent["video"]) == ("https://i.example/", "https://v.example/")


def test_a_key_is_that_of_the_content() -> None:
    one = job_key(resolved("video"), {"video": "aa"})

    assert one == job_key(resolved("video", mode="edit"), {"video": "aa"})
    assert one == job_key(resolve(asked(video=b"other source"), PROFILE), {"video": "aa"})
    others = [
        job_key(resolved("video"), {"video": "bb"}),
        job_key(resolved("video", mode="extend"), {"video": "aa"}),
        job_key(resolved("video", duration=6), {"video": "aa"}),
        job_key(resolved("video", prompt="make it rain"), {"video": "aa"}),
        job_key(resolved("image"), {"image": "aa"}),
    ]
    assert len({one, *others}) == 1 + len(others)
    with pytest.raises(ValueError, match="video"):
        job_key(resolved("video"), {})
