"""An animated image is a clip or its first picture, by what it is wanted for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocess.facts import Kind
from preprocess.geometry import Size
from preprocess.intent import VIDEO_ROLES, Intent, Mode, Role
from preprocess.plan import ClipPlan, ImagePlan, Rejection
from preprocess.planner import decide
from tests.decide.clips import PROFILE, clip
from tests.decide.test_stills import still
from tests.strategies import facts

if TYPE_CHECKING:
    from preprocess.facts import Facts

IMAGE = still(Size(1280, 720)).image
assert IMAGE is not None
INTENTS = st.builds(
    Intent,
    role=st.none() | st.sampled_from(list(Role)),
    mode=st.none() | st.sampled_from([mode for mode in Mode if mode is not Mode.I2V_BOTH]),
)


def moving(of: Facts, *, animated: bool = True) -> Facts:
    """*of* as an animated GIF has it: facts of both kinds."""
    assert IMAGE is not None
    return replace(of, kind=Kind.IMAGE, container="gif", image=replace(IMAGE, animated=animated))


@given(INTENTS)
def test_the_role_decides(intent: Intent) -> None:
    decision = decide(moving(clip(10, sound=False)), PROFILE, intent)

    assert isinstance(decision, ClipPlan if intent.wanted_role in VIDEO_ROLES else ImagePlan)


@pytest.mark.parametrize("fault", ["input.truncated", "input.pixels", "input.corrupt"])
@given(INTENTS)
def test_what_is_no_clip_still_has_a_first_picture(fault: str, intent: Intent) -> None:
    torn = replace(moving(clip(10)), video=None, fault=fault, fault_detail="something")
    decision = decide(torn, PROFILE, intent)

    if intent.wanted_role in VIDEO_ROLES:
        assert isinstance(decision, Rejection)
        assert [reason.rule for reason in decision.reasons] == [fault]
    else:
        assert isinstance(decision, ImagePlan)


@given(facts(), INTENTS, st.booleans(), st.booleans())
def test_the_decision_is_total(of: Facts, intent: Intent, animated: bool, clip_too: bool) -> None:  # noqa: FBT001 - drawn
    found = moving(of, animated=animated)
    decide(found if clip_too else replace(found, video=None), PROFILE, intent)


def test_a_short_one_is_told_both_ways_out() -> None:
    decision = decide(moving(clip(Fraction(1), sound=False)), PROFILE, Intent())

    assert isinstance(decision, Rejection)
    assert decision.reasons[0].fix is not None
    assert "--short loop" in decision.reasons[0].fix
    assert "i2v_first" in decision.reasons[0].fix
