"""What providers accept: one TOML file a model, its type, its contradictions.

Loading is in :mod:`preprocess.profiles.load`, so that decision code can name the types without
reaching a disk.
"""

from preprocess.profiles.model import (
    AcceptVideo,
    ApiParameter,
    ImageLimits,
    Level,
    MediaField,
    ModeSpec,
    Profile,
    Source,
    SourcedLimit,
    TargetVideo,
    Tolerances,
    VideoBounds,
)

__all__ = [
    "AcceptVideo",
    "ApiParameter",
    "ImageLimits",
    "Level",
    "MediaField",
    "ModeSpec",
    "Profile",
    "Source",
    "SourcedLimit",
    "TargetVideo",
    "Tolerances",
    "VideoBounds",
]
