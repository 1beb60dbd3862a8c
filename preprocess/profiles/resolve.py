"""From the tables of a profile file to the values that decisions are made against. Pure."""

from __future__ import annotations

from typing import Any, TypeVar

from preprocess.geometry import Size
from preprocess.profiles.document import (
    AcceptTable,
    BoundsTable,
    Document,
    ImagesTable,
    ModeTable,
    ParameterTable,
    TargetTable,
    TolerancesTable,
    statements,
)
from preprocess.profiles.model import (
    AcceptVideo,
    ApiParameter,
    ImageLimits,
    Level,
    MediaField,
    ModeSpec,
    Profile,
    Rates,
    Source,
    SourcedLimit,
    TargetVideo,
    Tolerances,
)

T = TypeVar("T")


def resolve(document: Document) -> Profile:
    """The profile that *document* describes.

    *document* is complete and without contradictions; ``check.contradictions`` sees to it.
    """
    return Profile(
        name=_given(document.name),
        provider=_given(document.provider),
        model=_given(document.model),
        sources={
            key: Source(document=table.document, date=table.date)
            for key, table in document.sources.items()
        },
        limits=tuple(
            SourcedLimit(key=".".join(path), text=part.text(), sources=part.source, date=part.date)
            for path, part in statements(document)
        ),
        accepts={level: _accept(document.level(level)) for level in Level},
        target=_target(document.target),
        tolerances=_tolerances(document.tolerances),
        images=_images(document.images),
        sizes={
            resolution: {
                ratio: Size(entry.width_px, entry.height_px) for ratio, entry in table.items()
            }
            for resolution, table in document.sizes.items()
        },
        modes={name: _mode(table) for name, table in document.modes.items()},
        rates={
            resolution: Rates(
                without_video=_given(table.without_video).usd_per_s,
                with_video=_given(table.with_video).usd_per_s,
            )
            for resolution, table in document.prices.items()
        },
        parameters={name: _parameter(table) for name, table in document.parameters.items()},
    )


def _given(value: T | None) -> T:
    if value is None:
        msg = "a document is checked for completeness before it is resolved"
        raise AssertionError(msg)
    return value


def _bounds(table: BoundsTable) -> dict[str, Any]:
    area, side = _given(table.area_px), _given(table.side_px)
    aspect, rate = _given(table.aspect), _given(table.frame_rate)
    return {
        "max_duration_s": _given(table.track_duration_s).max,
        "min_duration_s": _given(table.picture_duration_s).min,
        "min_area_px": _given(area.min),
        "max_area_px": _given(area.max),
        "min_side_px": _given(side.min),
        "max_side_px": _given(side.max),
        "side_multiple": _given(table.side_multiple).value,
        "min_aspect": _given(aspect.min),
        "max_aspect": _given(aspect.max),
        "min_rate": _given(rate.min),
        "max_rate": _given(rate.max),
        "max_bytes": _given(table.size_bytes).max,
    }


def _accept(table: AcceptTable) -> AcceptVideo:
    return AcceptVideo(
        **_bounds(table),
        containers=frozenset(_given(table.containers).values),
        video_codecs=frozenset(_given(table.video_codecs).values),
        pixel_formats=frozenset(_given(table.pixel_formats).values),
        audio_codecs={key: frozenset(names.values) for key, names in table.audio_codecs.items()},
        allow_private_metadata=_given(table.private_metadata).allowed,
    )


def _target(table: TargetTable) -> TargetVideo:
    return TargetVideo(
        **_bounds(table),
        container=_given(table.container).value,
        video_codec=_given(table.video_codec).value,
        pixel_format=_given(table.pixel_format).value,
        audio_codec=_given(table.audio_codec).value,
        audio_sample_rates_hz=_given(table.audio_sample_rates_hz).values,
        max_audio_channels=_given(table.audio_channels).max,
    )


def _tolerances(table: TolerancesTable) -> Tolerances:
    return Tolerances(**{field: _given(entry).value for field, entry in table})


def _images(table: ImagesTable) -> ImageLimits:
    side, aspect = _given(table.side_px), _given(table.aspect)
    return ImageLimits(
        formats=frozenset(_given(table.formats).values),
        target_formats=frozenset(_given(table.target_formats).values),
        max_area_px=_given(table.area_px).max,
        min_side_px=_given(side.min),
        max_side_px=_given(side.max),
        min_aspect=_given(aspect.min),
        max_aspect=_given(aspect.max),
        max_bytes=_given(table.size_bytes).max,
        target_max_bytes=_given(table.target_size_bytes).max,
    )


def _mode(table: ModeTable) -> ModeSpec:
    media: dict[str, MediaField] = {
        field: MediaField(use=part.use, role=part.role, proven=part.proven)
        for field, part in table.media.items()
    }
    return ModeSpec(media=media, window=table.window)


def _parameter(table: ParameterTable) -> ApiParameter:
    stated = table.model_dump(exclude={"source", "date"}, exclude_none=True)
    return ApiParameter(**stated)
