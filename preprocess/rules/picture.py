"""Rules about the picture: shape, size, colour and scan. Pure; one function a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preprocess.encoding import PLAIN_PRIMARIES, PLAIN_TRANSFERS
from preprocess.facts import Dynamic
from preprocess.geometry import Orientation
from preprocess.intent import Fit
from preprocess.plan import Reason, Route
from preprocess.rules.finding import Case, Change, Finding, Obstacle
from preprocess.shape import target_picture, wanted_aspect

if TYPE_CHECKING:
    from collections.abc import Iterable

# Shapes nearer than this are the same: one row of 480 is 0.2 %.
SAME_SHAPE = 0.005

_PLAIN_MATRICES = {None, "bt709", "smpte170m", "bt470bg", "fcc", "smpte240m"}
_FOREIGN_MATRICES = {"ictcp", "bt2020c", "ycgco"}
"""swscale has no arithmetic for these (libswscale 9.5), and would use another one's."""


def orientation(case: Case) -> Iterable[Finding]:
    """The stored picture is the shown one: no turn, no mirroring."""
    turned = case.video.orientation
    if turned is Orientation.NORMAL:
        return
    if turned is None:
        yield Obstacle(
            Reason(
                rule="video.rotation",
                measured="a display matrix that is not a quarter turn",
                limit="0, 90, 180 or 270 degrees",
                fix="export the clip without rotation",
            )
        )
        return
    text = f"{turned.rotation_deg} degrees" + (", mirrored" if turned.mirrored else "")
    yield Change(
        Reason(
            rule="video.rotation",
            measured=text,
            limit="none",
            value=turned.rotation_deg,
            limit_value=0,
            unit="degrees",
            fix="turned upright",
        ),
        Route.ENCODE,
    )


def sample_aspect(case: Case) -> Iterable[Finding]:
    """Pixels are square."""
    ratio = case.video.sample_aspect
    if ratio != 1:
        text = f"{ratio.numerator}:{ratio.denominator}"
        yield Change(
            Reason(
                rule="video.pixel_aspect",
                measured=f"pixels of {text}",
                limit="1:1",
                value=text,
                limit_value="1:1",
                fix="resampled to square pixels",
            ),
            Route.ENCODE,
        )


def _unreachable_ratio(case: Case) -> Obstacle:
    low, high = case.target.min_aspect, case.target.max_aspect
    return Obstacle(
        Reason(
            rule="video.ratio",
            measured=f"{case.intent.ratio} was asked for",
            limit=f"{float(low):g} to {float(high):g}, width over height",
            value=round(float(case.intent.wanted_aspect or 0), 4),
            unit="width/height",
            fix="ask for a ratio inside the limits",
        )
    )


def shape(case: Case) -> Iterable[Finding]:
    """The shown shape is inside the limits, and the one asked for."""
    displayed, accept = case.video.displayed, case.accept
    if not displayed.area:
        return
    low, high = accept.min_aspect, accept.max_aspect
    wanted = wanted_aspect(displayed, case.target.size_limits, case.intent)
    outside = not low <= displayed.aspect <= high
    asked = case.intent.wanted_aspect is not None
    if asked and wanted != case.intent.wanted_aspect:
        yield _unreachable_ratio(case)
        return
    other = asked and abs(float(displayed.aspect / wanted) - 1) > SAME_SHAPE
    if not outside and not other:
        return
    reason = Reason(
        rule="video.ratio" if asked else "video.aspect",
        measured=f"{displayed}, {float(displayed.aspect):.3f}",
        limit=case.intent.ratio if asked else f"{float(low):g} to {float(high):g}",
        value=round(float(displayed.aspect), 4),
        limit_value=round(float(wanted), 4),
        unit="width/height",
        fix=f"{_FITTED[case.intent.wanted_fit]} to {float(wanted):.3f}",
    )
    yield Change(reason, Route.ENCODE)


_FITTED = {Fit.CROP: "cropped", Fit.PAD: "padded with black", Fit.BLUR: "padded, blurred,"}


def area(case: Case) -> Iterable[Finding]:
    """The shown picture has an accepted number of pixels."""
    size, accept = case.video.displayed, case.accept
    if not size.area or accept.min_area_px <= size.area <= accept.max_area_px:
        return
    small = size.area < accept.min_area_px
    bound = accept.min_area_px if small else accept.max_area_px
    yield Change(
        Reason(
            rule="video.area",
            measured=f"{size}, {size.area:,} px",
            limit=f"{'>=' if small else '<='} {bound:,} px",
            value=size.area,
            limit_value=bound,
            unit="px",
            fix="enlarged" if small else "scaled down",
        ),
        Route.ENCODE,
    )


def sides(case: Case) -> Iterable[Finding]:
    """Both sides are even and inside the limits."""
    size, accept = case.video.displayed, case.accept
    if not size.area:
        yield Obstacle(
            Reason(rule="video.size", measured="no size", limit="a picture", fix="export it again")
        )
        return
    limits = accept.size_limits
    step = accept.side_multiple
    uneven = size.width % step or size.height % step
    inside = (
        min(size.width, size.height) >= limits.min_side_px
        and max(size.width, size.height) <= limits.max_side_px
    )
    if uneven or not inside:
        limit = f"{accept.min_side_px} to {accept.max_side_px} px, multiples of {step}"
        yield Change(
            Reason(
                rule="video.sides",
                measured=str(size),
                limit=limit,
                value=str(size),
                limit_value=step if inside else accept.min_side_px,
                unit="px",
                fix="trimmed to even sides" if inside else "scaled",
            ),
            Route.ENCODE,
        )


def reachable(case: Case) -> Iterable[Finding]:
    """Some legal size can be reached; asked where pixels have to change."""
    size = case.video.displayed
    if size.area and target_picture(case.video, case.target.size_limits, case.intent, ()) is None:
        yield Obstacle(
            Reason(
                rule="video.size",
                measured=str(size),
                limit="a legal size of this shape",
                fix="choose another --ratio or --fit",
            )
        )


def dynamic_range(case: Case) -> Iterable[Finding]:
    """The picture is SDR."""
    dynamic, dolby = case.video.dynamic, case.video.dolby_vision_profile
    if dynamic is Dynamic.SDR:
        return
    profile = "" if dolby is None else f"Dolby Vision profile {dolby}"
    if dynamic is Dynamic.DOLBY_VISION:
        measured = f"{profile or 'Dolby Vision'} without an HDR10, HLG or SDR picture in it"
        yield Obstacle(_hdr(dynamic, measured, "export the clip as SDR, HDR10 or HLG"))
        return
    names = ", ".join(name for name in (dynamic.value.upper(), profile) if name)
    yield Change(_hdr(dynamic, f"HDR ({names})", "tone-mapped to SDR"), Route.ENCODE)


def _hdr(dynamic: Dynamic, measured: str, fix: str) -> Reason:
    return Reason(
        rule="video.hdr",
        measured=measured,
        limit="SDR",
        value=dynamic.value,
        limit_value=Dynamic.SDR.value,
        fix=fix,
    )


def colour(case: Case) -> Iterable[Finding]:
    """Colours are those a BT.709 display expects."""
    video = case.video
    if video.color_matrix in _FOREIGN_MATRICES:
        yield Obstacle(_odd([video.color_matrix], "export the clip in BT.709"))
        return
    odd = [
        name
        for name, plain in (
            (video.color_primaries, PLAIN_PRIMARIES),
            (video.color_transfer, PLAIN_TRANSFERS),
            (video.color_matrix, _PLAIN_MATRICES),
        )
        if name not in plain
    ]
    if odd and video.dynamic is Dynamic.SDR:
        yield Change(_odd(odd, "converted to BT.709"), Route.ENCODE)


def _odd(names: list[str | None], fix: str) -> Reason:
    return Reason(
        rule="video.colour",
        measured=", ".join(str(name) for name in names),
        limit="BT.709 or BT.601",
        value=names[0],
        limit_value="bt709",
        fix=fix,
    )


def scan(case: Case) -> Iterable[Finding]:
    """Pictures are whole, not fields."""
    if case.video.interlaced:
        yield Change(
            Reason(
                rule="video.scan",
                measured="interlaced",
                limit="progressive",
                value="interlaced",
                limit_value="progressive",
                fix="fields joined to whole pictures",
            ),
            Route.ENCODE,
        )


def uniform(case: Case) -> Iterable[Finding]:
    """All pictures have one size and format."""
    if not case.video.uniform:
        yield Change(
            Reason(
                rule="video.changes",
                measured="pictures change their size or format midway",
                limit="one size and format",
                fix="brought to one size",
            ),
            Route.ENCODE,
        )


def codec(case: Case) -> Iterable[Finding]:
    """The picture is coded in an accepted way."""
    video, accept = case.video, case.accept
    if video.codec not in accept.video_codecs:
        yield Change(
            Reason(
                rule="video.codec",
                measured=video.codec,
                limit=" or ".join(sorted(accept.video_codecs)),
                value=video.codec,
                limit_value=case.target.video_codec,
                fix=f"encoded as {case.target.video_codec}",
            ),
            Route.ENCODE,
        )
    if video.pixel_format not in accept.pixel_formats:
        yield Change(
            Reason(
                rule="video.pixel_format",
                measured=video.pixel_format or "unknown",
                limit=" or ".join(sorted(accept.pixel_formats)),
                value=video.pixel_format,
                limit_value=case.target.pixel_format,
                fix=f"converted to {case.target.pixel_format}",
            ),
            Route.ENCODE,
        )
    if video.alpha:
        yield Change(
            Reason(
                rule="video.alpha",
                measured="transparency",
                limit="opaque",
                fix="laid on white",
            ),
            Route.ENCODE,
        )
