"""What the provider says is read whichever way it says it, and never more into it than is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers import Answer, JobKind, job_path, read_accepted, read_job, read_problem
from pipeline.errors import ApiUnreadable, ErrorCode, Failure, InvalidMedia, PipelineError
from pipeline.refusals import is_certain, job_failure, media_rule, refusal
from tests.submit.support import KEY

BASE = "https://api.test"
RULES = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")


def answer(data: object, status: int = 200, broken: str | None = None) -> Answer:
    return Answer(status=status, body=json.dumps(data).encode(), broken=broken)


# --- the answer to a request ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"job_id": "j1", "status": "queued", "poll_url": "/v1/jobs/j1"},
        {"id": "j1"},
        {"data": {"job_id": "j1", "status": "QUEUED"}},
        {"job": {"id": "j1"}, "new": {"fields": [1]}},
    ],
)
def test_a_job_id_is_found_wherever_it_is(data: object) -> None:
    assert read_accepted(answer(data)).job_id == "j1"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{", b"[]", b"null", b'{"status":"queued"}', b'{"job_id":""}', b"\xff{}",
     b"[" * 100_000, b'{"job_id":"a"}{"job_id":"a"}', b'{"job_id":"%s"}' % (b"x" * 300)],
)  # fmt: skip
def test_an_answer_without_a_job_id_is_unreadable(body: bytes) -> None:
    with pytest.raises(ApiUnreadable):
        read_accepted(Answer(status=200, body=body))


def test_a_broken_answer_is_unreadable_even_if_its_beginning_is_whole() -> None:
    with pytest.raises(ApiUnreadable, match="broke off"):
        read_accepted(answer({"job_id": "j1"}, broken="reset"))


@pytest.mark.parametrize(
    ("poll_url", "path"),
    [
        (None, "/v1/jobs/j%2F1"),
        ("/v1/jobs/x", "/v1/jobs/x"),
        (f"{BASE}/v1/jobs/x", "/v1/jobs/x"),
        ("https://evil.test/v1/jobs/x", "/v1/jobs/j%2F1"),
        ("http://api.test/v1/jobs/x", "/v1/jobs/j%2F1"),
        ("//evil.test/x", "/v1/jobs/j%2F1"),
        ("/v1/jobs/x?token=1", "/v1/jobs/j%2F1"),
        ("/v1/../admin", "/v1/jobs/j%2F1"),
        ("jobs/x", "/v1/jobs/j%2F1"),
        ("https://[", "/v1/jobs/j%2F1"),
    ],
)
def test_only_a_poll_address_at_the_provider_itself_is_followed(
    poll_url: str | None, path: str
) -> None:
    """The key goes along."""
    assert job_path(BASE, "j/1", poll_url) == path


# --- the state of a job --------------------------------------------------------------------------

URL = "https://cdn.test/a.mp4?sig=1"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("queued", JobKind.PENDING),
        ("processing", JobKind.PENDING),
        ("running", JobKind.PENDING),
        ("calibrating", JobKind.PENDING),
        ("Completed", JobKind.SUCCEEDED),
        ("succeeded", JobKind.SUCCEEDED),
        ("failed", JobKind.FAILED),
        ("error", JobKind.FAILED),
        ("cancelled", JobKind.FAILED),
        ("expired", JobKind.FAILED),
    ],
)
def test_states_are_read_by_both_names_and_unknown_ones_pend(status: str, kind: JobKind) -> None:
    assert read_job(answer({"job_id": "j", "status": status})).kind is kind


@pytest.mark.parametrize(
    "result",
    [
        {"result": {"data": [{"url": URL}]}},
        {"result": {"video_url": URL, "thumbnail_url": "https://cdn.test/a.jpg"}},
        {"result": {"thumbnail_url": "https://cdn.test/a.jpg", "url": URL}},
        {"result": URL},
        {"output": [URL]},
        {"data": [{"video": {"url": URL}}]},
    ],
)
def test_the_clip_is_found_in_every_shape_of_result(result: dict[str, Any]) -> None:
    assert read_job(answer({"status": "completed", **result})).result_urls[0] == URL


def test_the_address_of_the_clip_is_not_in_the_repr_of_a_state() -> None:
    assert "sig" not in repr(read_job(answer({"status": "completed", "result": {"url": URL}})))


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({"error": {"message": "m", "type": "t", "code": "c"}}, "c", "m"),
        ({"error": {"message": "m", "type": "t"}}, "t", "m"),
        ({"error": {"message": "m", "code": 7}}, "7", "m"),
        ({"error": "m"}, None, "m"),
        ({"error": None, "message": "m"}, None, "m"),
        ({"detail": [{"msg": "m", "type": "missing"}]}, "missing", "m"),
        ({"type": "error", "error": {"type": "overloaded", "message": "m"}}, "overloaded", "m"),
        ([], None, None),
        (None, None, None),
    ],
)
def test_an_error_is_read_in_every_shape(
    data: object, code: str | None, message: str | None
) -> None:
    problem = read_problem(data)

    assert (problem.code, problem.message) == (code, message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["job_id", "id", "status", "error", "message", "code", "result", "data", "url", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON, st.sampled_from([200, 202, 302, 400, 401, 404, 422, 429, 500, 503]))
def test_no_answer_breaks_a_reader(data: object, status: int) -> None:
    """Whatever it holds, there is a value or a typed error."""
    given_answer = answer(data, status)
    for read in (read_accepted, read_job):
        try:
            read(given_answer)
        except PipelineError as error:
            assert error.code is ErrorCode.API_UNREADABLE  # noqa: PT017 - another may pass
    assert isinstance(refusal(given_answer), PipelineError)
    assert isinstance(job_failure(read_problem(data)), PipelineError)


# --- which error it is ---------------------------------------------------------------------------


def envelope(code: str | None, message: str = "so it is") -> dict[str, Any]:
    return {"error": {"message": message, "type": "t", "code": code}}


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "invalid_api_key", ErrorCode.AUTHENTICATION),
        (401, None, ErrorCode.AUTHENTICATION),
        (500, "invalid_api_key", ErrorCode.AUTHENTICATION),
        (403, None, ErrorCode.AUTHENTICATION),
        (402, None, ErrorCode.INSUFFICIENT_CREDITS),
        (400, "insufficient_credits", ErrorCode.INSUFFICIENT_CREDITS),
        (404, "model_not_found", ErrorCode.PROVIDER_REFUSED),
        (422, None, ErrorCode.PROVIDER_REFUSED),
        (429, None, ErrorCode.RATE_LIMITED),
        (500, None, ErrorCode.UNAVAILABLE),
        (503, "model_unavailable", ErrorCode.UNAVAILABLE),
    ],
)
def test_status_and_code_decide_first(status: int, code: str | None, expected: ErrorCode) -> None:
    assert refusal(answer(envelope(code), status)).code is expected


def test_a_page_that_says_not_valid_is_no_objection_to_the_media() -> None:
    """One project took an HTML page for a permanent refusal, because its text matched (S9)."""
    page = Answer(status=502, body=b"<html>image is not valid</html>", content_type="text/html")

    assert refusal(page).code is ErrorCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InputImageSensitiveContentDetected.PrivacyInformation", "may contain real person."),
        ("InputTextSensitiveContentDetected", "may contain sensitive information."),
        ("OutputAudioSensitiveContentDetected.PolicyViolation", "copyright restrictions."),
        (None, "The request failed because the input video may contain real person."),
        (None, "blocked by content policy"),
    ],
)
def test_moderation_is_told_by_several_wordings(code: str | None, message: str) -> None:
    problem = read_problem(envelope(code, message))

    assert job_failure(problem).code is ErrorCode.MODERATED
    assert refusal(answer(envelope(code, message), 400)).code is ErrorCode.MODERATED


# Texts of the real service, as quoted by others in 2026; relays rename the model.
QUOTED = [
    ("Height must be between 300px and 6000px", "image.sides"),
    ("expected the height to be at least 300px, but received a 338x194px image", "image.sides"),
    ("Aspect ratio of the image must be between 0.4 and 2.5, received 3.54", "image.aspect"),
    ("the specified asset is not an image", "input.role"),
    ("video total duration must be ≤ 15.2 seconds for model ant-2-0 in r2v", "video.duration"),
    ("the video duration must be ≥ 1.8 seconds", "video.short"),
    ("video pixel count must be ≥ 409600 for model dreamina-seedance-2-0 in r2v", "video.area"),
    ("the pixel count (w x h) of the video exceeds 2086876", "video.area"),
    ("the frame rate of the video must be ≤ 60", "video.frame_rate"),
    ("InvalidParameter.OversizedImage", "image.file_size"),
    ("video file size must be <= 209715200 bytes", "file.size"),
    ("InvalidParameter.UnsupportedImageFormat", "image.format"),
    ("unsupported video format", "file.container"),
    ("unsupported video codec: vp9", "video.codec"),
]


@pytest.mark.parametrize(("text", "rule"), QUOTED)
def test_a_refused_file_names_the_rule_that_should_have_caught_it(text: str, rule: str) -> None:
    error = job_failure(read_problem({"error": text}))

    assert isinstance(error, InvalidMedia)
    assert (error.code, error.rule) == (ErrorCode.INVALID_MEDIA, rule)
    assert f"`{rule}`" in RULES


@pytest.mark.parametrize(
    "text",
    [
        "duration must be an integer between 4 and 15",
        "aspect_ratio must be one of adaptive, 16:9",
        "resolution 1080p is not supported for mini",
        "camera_fixed is not supported",
        "asset not found",
    ],
)
def test_a_wrong_parameter_is_no_refused_file(text: str) -> None:
    assert media_rule(text) is None
    assert refusal(answer({"error": text}, 400)).code is ErrorCode.PROVIDER_REFUSED


def test_a_file_that_could_not_be_fetched_is_told_as_that() -> None:
    error = job_failure(read_problem({"error": "Timeout while downloading url https://a/b?x=1"}))

    assert error.code is ErrorCode.INVALID_MEDIA
    assert "could not fetch" in error.message
    assert "x=1" not in error.message + str(error.raw_message)


@given(JSON, st.integers(300, 599))
def test_only_client_errors_and_known_codes_prove_that_no_job_was_made(
    data: object, status: int
) -> None:
    certain = is_certain(answer(data, status))
    code = str(read_problem(data).code).lower()

    assert certain == (
        code in {"insufficient_credits", "rate_limit_exceeded"}
        or (400 <= status < 500 and status not in {408, 409, 425, 499})
    )


def test_what_is_said_of_a_key_is_not_repeated() -> None:
    error = refusal(answer(envelope("invalid_api_key", f"Incorrect key {KEY} given"), 401))

    assert KEY not in error.message + str(error.raw_message) + repr(error)
    assert "Incorrect key sk-empiriolabs-*** given" in error.message


@pytest.mark.parametrize(("text", "rule"), QUOTED)
def test_a_failure_in_the_ledger_is_the_same_error_again(text: str, rule: str) -> None:
    error = job_failure(read_problem({"error": {"code": "c", "message": text}}))
    again = Failure.of(error).error()

    assert (type(again), again.code, str(again)) == (type(error), error.code, str(error))
    assert (again.raw_code, again.raw_message) == (error.raw_code, error.raw_message)
    assert isinstance(again, InvalidMedia)
    assert again.rule == rule
