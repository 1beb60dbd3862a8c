"""The provider's description of a model is held against the profile; every difference is told."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.provider.catalogue import model_answer
from pipeline import ApiUnreadable, Client, Difference, ProviderRefused, refresh
from pipeline.drift import compare
from preprocess import load_profile
from tests.submit.support import Time, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROFILE = load_profile("seedance-2-0-mini")


def row(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in data["supported_parameters"] if each["name"] == name)


def test_the_profile_says_what_the_page_says() -> None:
    assert compare(PROFILE, model_answer()) == ()


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    data = copy.deepcopy(model_answer())
    change(data)
    return data


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "max": (
        lambda data: row(data, "duration").update(max=20),
        "duration.max: the profile says 15, the provider 20",
    ),
    "min": (
        lambda data: row(data, "duration").update(min=2),
        "duration.min: the profile says 4, the provider 2",
    ),
    "range": (
        lambda data: (row(data, "duration").pop("max"), row(data, "duration").update(range=[4, 9])),
        "duration.max: the profile says 15, the provider 9",
    ),
    "default": (
        lambda data: row(data, "resolution").update(default="480p"),
        "resolution.default: the profile says 720p, the provider 480p",
    ),
    "allowed": (
        lambda data: row(data, "resolution")["allowed"].append("1080p"),
        "resolution.allowed: the profile says 480p, 720p, the provider 480p, 720p, 1080p",
    ),
    "type": (
        lambda data: row(data, "prompt").update(type="array"),
        "prompt.type: the profile says string, the provider array",
    ),
    "required": (
        lambda data: row(data, "negative_prompt").update(required=True),
        "negative_prompt.required: the profile says False, the provider True",
    ),
    "new": (
        lambda data: data["supported_parameters"].append({"name": "reference_images"}),
        "reference_images: the profile says nothing, the provider a parameter",
    ),
    "gone": (
        lambda data: data["supported_parameters"].remove(row(data, "image_end")),
        "image_end: the profile says a parameter, the provider nothing",
    ),
    "price": (
        lambda data: data["pricing_rows"][0].update(price_usd=0.08),
        "price.480p.without_video: the profile says $0.07 a second, the provider $0.08 a second",
    ),
    "new price": (
        lambda data: data["pricing_rows"].append(
            {"label": "Video input 1080p", "price": "$0.9 / s"}
        ),
        "price.1080p.with_video: the profile says nothing, the provider $0.9 a second",
    ),
    "price gone": (
        lambda data: data["pricing_rows"].pop(),
        "price.720p.with_video: the profile says $0.359 a second, the provider nothing",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_difference_is_told(name: str) -> None:
    change, sentence = CHANGES[name]

    assert [each.sentence() for each in compare(PROFILE, changed(change))] == [sentence]


def test_all_differences_are_told_at_once() -> None:
    def several(data: dict[str, Any]) -> None:
        for change, _ in (CHANGES["max"], CHANGES["new"], CHANGES["price"]):
            change(data)

    assert len(compare(PROFILE, changed(several))) == 3


def test_parameters_may_be_an_object_and_the_model_wrapped() -> None:
    def reshape(data: dict[str, Any]) -> None:
        rows = data["supported_parameters"]
        data["supported_parameters"] = {each.pop("name"): each for each in rows}

    assert compare(PROFILE, {"data": changed(reshape)}) == ()


@pytest.mark.parametrize("data", [{}, [], None, "x", {"supported_parameters": []}])
def test_a_model_without_parameters_is_no_agreement(data: object) -> None:
    with pytest.raises(ApiUnreadable):
        compare(PROFILE, data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "supported_parameters",
                        "pricing_rows",
                        "name",
                        "range",
                        "price",
                        "type",
                        "data",
                    ]
                ),
                inner,
            )
        ),
    )
)
def test_no_description_breaks_the_comparison(data: object) -> None:
    for each in (data, {"supported_parameters": [{"name": "prompt"}], "pricing_rows": data}):
        try:
            found = compare(PROFILE, each)
        except ApiUnreadable:
            continue
        assert all(isinstance(difference, Difference) for difference in found)


def asked(tmp_path: Path, answer: httpx.Response) -> tuple[Difference, ...]:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return answer

    async def run() -> tuple[Difference, ...]:
        connection = httpx.MockTransport(handler)
        async with Client(settings(tmp_path), connection=connection, pace=Time().pace()) as client:
            return await refresh(client, PROFILE)

    try:
        return asyncio.run(run())
    finally:
        assert seen == [f"/v1/models/{PROFILE.model}"]


def test_the_provider_is_asked_and_the_profile_stays(tmp_path: Path) -> None:
    data = changed(CHANGES["max"][0])

    assert len(asked(tmp_path, httpx.Response(200, json=data))) == 1
    assert load_profile("seedance-2-0-mini") == PROFILE


def test_a_model_that_is_gone_is_told(tmp_path: Path) -> None:
    error = {"error": {"code": "model_not_found", "message": "no such model"}}

    with pytest.raises(ProviderRefused, match="no such model"):
        asked(tmp_path, httpx.Response(404, json=error))
