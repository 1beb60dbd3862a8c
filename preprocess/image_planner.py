"""The decision about a still image: facts, profile and intent in, plan or rejection out. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from preprocess.encoding import hdr_colours
from preprocess.geometry import Size, centred_crop, inner_size, nearest_legal_size
from preprocess.geometry import SizeLimits as Bounds
from preprocess.intent import FRAME_ROLES, Fit, Intent, Role
from preprocess.plan import (
    JPEG_QUALITIES,
    Expected,
    ImageEncoding,
    ImagePlan,
    Reason,
    Rejection,
    Route,
)
from preprocess.rules import image as rules
from preprocess.rules.finding import Change, Obstacle

if TYPE_CHECKING:
    from preprocess.facts import Facts, StillImage
    from preprocess.profiles.model import ImageLimits, Profile

_IMAGE_ROLES = FRAME_ROLES | {Role.REFERENCE_IMAGE}


def decide_image(
    facts: Facts, profile: Profile, intent: Intent, *, at_least: Route = Route.KEEP
) -> ImagePlan | Rejection:
    """Name the cheapest route that makes an image fit *profile*, or every objection."""
    assert facts.image is not None  # noqa: S101 - the caller has looked
    still = _still(facts, facts.image, profile, intent)
    if not isinstance(still, rules.Still):
        return Rejection(reasons=(still,))
    findings = [finding for rule in rules.RULES for finding in rule(still)]
    objections = tuple(each.reason for each in findings if isinstance(each, Obstacle))
    if objections:
        return Rejection(reasons=objections)
    changes = [finding for finding in findings if isinstance(finding, Change)]
    route = max((at_least, *(change.route for change in changes)))
    if route is Route.REWRAP and facts.container not in rules.STRIPPABLE:
        route = Route.ENCODE
    reasons = tuple(change.reason for change in changes)
    if route is not Route.ENCODE:
        return _as_it_is(still, route, reasons)
    return _encoded(still, reasons)


def pair_intents(start: Facts | None, profile: Profile, intent: Intent) -> tuple[Intent, Intent]:
    """What is wanted of start and end frame, so that both get one size: the start frame's."""
    first = replace(intent, mode=None, role=Role.FIRST_FRAME)
    last = replace(intent, mode=None, role=Role.LAST_FRAME)
    if start is not None and start.image is not None:
        found = rules.frame_for(start.image, profile, first)
        last = replace(last, ratio=found[0] if found is not None else intent.ratio)
    return first, last


def _still(
    facts: Facts, image: StillImage, profile: Profile, intent: Intent
) -> rules.Still | Reason:
    role = intent.role_of_image
    if role not in _IMAGE_ROLES:
        return Reason(
            rule="input.role",
            measured="a still image",
            limit=f"a video, as {role.value}",
            value="image",
            limit_value="video",
            fix="use --mode i2v_first or i2v_both, --role reference_image, or give a video",
        )
    ratio, frame = "adaptive", None
    if role in FRAME_ROLES:
        found = rules.frame_for(image, profile, intent)
        if found is None:
            known = ", ".join(profile.sizes[intent.resolution.value])
            return Reason(
                rule="image.ratio",
                measured=f"{intent.ratio} was asked for",
                limit=known,
                value=intent.ratio,
                fix="ask for one of these, or adaptive",
            )
        ratio, frame = found
    return rules.Still(
        facts=facts,
        image=image,
        limits=profile.images,
        intent=intent,
        frame=frame,
        ratio=ratio,
    )


def _as_it_is(still: rules.Still, route: Route, reasons: tuple[Reason, ...]) -> ImagePlan:
    size = still.image.displayed
    return ImagePlan(
        route=route,
        reasons=reasons,
        expected=Expected(
            route=route,
            container=still.facts.container or "",
            width_px=size.width,
            height_px=size.height,
            max_bytes=rules.max_bytes(still),
        ),
        ratio=still.ratio,
        encoding=None,
    )


def _encoded(still: rules.Still, reasons: tuple[Reason, ...]) -> ImagePlan | Rejection:
    displayed = still.image.displayed
    aspect, canvas = _canvas(still)
    if canvas is None:
        return Rejection(reasons=(_unreachable(still),))
    padded = still.fit is not Fit.CROP
    crop, scaled = None, canvas
    if padded:
        scaled = inner_size(canvas, displayed.aspect, 1)
    elif displayed != canvas:
        crop = centred_crop(displayed, aspect).size
        crop = None if crop == displayed else crop
    return ImagePlan(
        route=Route.ENCODE,
        reasons=reasons,
        expected=Expected(
            route=Route.ENCODE,
            container="png" if still.facts.container == "png" else "jpeg",
            width_px=canvas.width,
            height_px=canvas.height,
            max_bytes=still.limits.target_max_bytes,
        ),
        ratio=still.ratio,
        encoding=ImageEncoding(
            orientation=still.image.orientation,
            crop=crop,
            gravity=still.intent.gravity,
            scaled=scaled,
            canvas=canvas,
            blur=still.fit is Fit.BLUR,
            convert=not (still.image.srgb or still.image.profile_broken),
            hdr=hdr_colours(still.image.dynamic, still.image.primaries),
            primaries=still.image.primaries,
            transfer=still.image.transfer,
            quality=JPEG_QUALITIES[0],
        ),
    )


def _canvas(still: rules.Still) -> tuple[Fraction, Size | None]:
    """Shape and size of the result."""
    if still.frame is not None:
        return still.frame.aspect, still.frame
    displayed, bounds = still.image.displayed, _bounds(still.limits)
    aspect = still.intent.wanted_aspect or displayed.aspect
    aspect = min(max(aspect, bounds.min_aspect), bounds.max_aspect)
    # At its own scale: cut down, or padded up, to the shape.
    narrow = min if still.fit is Fit.CROP else max
    width = narrow(Fraction(displayed.width), displayed.height * aspect)
    height = width / aspect
    own = Size(max(1, round(width)), max(1, round(height)))
    if bounds.allow(own):
        return aspect, own
    area = width * height * Fraction(_scale(width, height, bounds)) ** 2
    return aspect, nearest_legal_size(aspect, round(area), bounds)


def _scale(width: Fraction, height: Fraction, bounds: Bounds) -> float:
    """Factor that brings a size inside, as near to 1 as a limit allows."""
    short, long = sorted((width, height))
    up = max(1.0, float(bounds.min_side_px / short))
    down = min(float(bounds.max_side_px / long), math.sqrt(bounds.max_area_px / (short * long)))
    return min(up, down)


def _bounds(limits: ImageLimits) -> Bounds:
    return Bounds(
        min_area_px=limits.min_side_px**2,
        max_area_px=limits.max_area_px,
        min_side_px=limits.min_side_px,
        max_side_px=limits.max_side_px,
        side_multiple=1,
        min_aspect=limits.min_aspect,
        max_aspect=limits.max_aspect,
    )


def _unreachable(still: rules.Still) -> Reason:
    limits = still.limits
    return Reason(
        rule="image.size",
        measured=str(still.image.displayed),
        limit=f"sides of {limits.min_side_px} to {limits.max_side_px} px",
        fix="use another image",
    )
