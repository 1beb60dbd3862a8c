"""What a plan that is carried out without a flaw leaves behind, as it would be measured."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from preprocess.facts import (
    AudioTrack,
    Dynamic,
    EditShape,
    Facts,
    IndexPlace,
    Kind,
    PictureTable,
    Sync,
    SyncKind,
    VideoTrack,
)
from preprocess.geometry import Size
from preprocess.job import Measured, Outcome
from preprocess.plan import AudioAction, ClipPlan, Route
from tests.decide.clips import Gop, Shape, audio_of, facts_of, gops_of, table_of, video_of


def facts_after(plan: ClipPlan, source: Facts) -> Facts:
    """The facts of a perfect result: as large and as long as *plan* allows."""
    if plan.route is Route.KEEP:
        return source
    expected = plan.expected
    return facts_of(
        _video(plan, source),
        _audio(plan, source),
        kind=Kind.VIDEO,
        container=expected.container,
        size_bytes=expected.max_bytes,
        index=IndexPlace.FIRST,
        duration_s_from_header=expected.duration_s,
    )


def measured(plan: ClipPlan, source: Facts) -> tuple[Outcome, Measured]:
    """What the engine says it wrote and what is measured of it."""
    copied = plan.route is not Route.ENCODE
    pictures = tuple(f"picture {n}" for n in range(plan.expected.frames)) if copied else ()
    sounds = ("sound",) if plan.audio.action is AudioAction.COPY else ()
    found = Measured(
        facts=facts_after(plan, source),
        picture_digests=pictures,
        sound_digests=sounds,
        decoded=1,
        to_decode=1,
    )
    written = Outcome(frames=plan.expected.frames, picture_digests=pictures, sound_digests=sounds)
    return written, found


def _table(plan: ClipPlan, source: PictureTable) -> PictureTable:
    rate, frames = plan.expected.frame_rate, plan.expected.frames
    if plan.slice is None:
        return table_of(gops_of(Gop(Shape.PYRAMID, round(2 * rate), 3), frames), rate)
    step = rate.denominator
    ranks = {pts: n for n, pts in enumerate(sorted(plan.slice.pts))}
    order = {pts: n for n, pts in enumerate(plan.slice.pts)}
    syncs = [s for s in source.sync if source.pts[s.index] in order]
    return PictureTable(
        time_base=Fraction(1, rate.numerator),
        pts=tuple(ranks[pts] * step for pts in plan.slice.pts),
        sizes=tuple(1000 for _ in order),
        sync=tuple(Sync(index=order[source.pts[s.index]], kind=s.kind) for s in syncs),
        at_start=True,
        at_end=True,
        last_duration=step,
        origin_pts=0,
    )


def _video(plan: ClipPlan, source: Facts) -> VideoTrack:
    assert source.video is not None
    expected = plan.expected
    table = _table(plan, source.video.table)
    track = video_of(table, coded=Size(expected.width_px, expected.height_px))
    if plan.route is not Route.ENCODE:
        track = replace(
            source.video,
            stream=0,
            table=table,
            edit=EditShape.NONE,
            duration_s=track.duration_s,
            media_duration_s=track.media_duration_s,
            frames=track.frames,
        )
        assert table.sync[0] == Sync(index=0, kind=table.sync[0].kind)
        assert table.sync[0].kind in (SyncKind.IDR, SyncKind.CRA)
    assert track.dynamic is Dynamic.SDR
    return replace(track, codec=expected.video_codec, pixel_format=expected.pixel_format)


def _audio(plan: ClipPlan, source: Facts) -> AudioTrack | None:
    """Sound as the engines write it: whole packets, at most one after the picture.

    A copy begins with the packet before the first that is heard, hidden.
    """
    if plan.audio.action is AudioAction.DROP:
        return None
    assert source.audio is not None
    picture_s, cap_s = plan.expected.duration_s, plan.expected.max_duration_s
    rate = plan.audio.sample_rate_hz or 0
    if plan.audio.action is AudioAction.COPY:
        packet_s = Fraction(source.audio.frame_samples or 0, rate)
        stored_s = min(cap_s, picture_s + packet_s * 5 / 2) // packet_s * packet_s
        hidden_s = min(packet_s * 3 / 2, stored_s)
    else:
        packet_s = Fraction(1024, rate)
        stored_s = min(cap_s, picture_s + packet_s) // packet_s * packet_s
        hidden_s = min(packet_s, stored_s)
    return audio_of(
        stored_s,
        codec=plan.expected.audio_codec,
        sample_rate_hz=rate,
        channels=plan.audio.channels,
        frame_samples=int(packet_s * rate),
        start_s=Fraction(0),
        priming_s=hidden_s,
        duration_s=max(Fraction(0), stored_s - hidden_s),
        media_duration_s=stored_s,
        edit=EditShape.PLAIN,
    )
