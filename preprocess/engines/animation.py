"""The pictures of an animated image, decoded and laid on each other by Pillow."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from preprocess.engines.srgb import in_srgb, profile_of, resizable
from preprocess.pixels import DAMAGE, open_image
from preprocess.probe.animation import TICKS, moments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from preprocess.job import Animation


def pictures(fd: int, animation: Animation) -> Iterator[av.VideoFrame]:
    """The pictures in order, with alpha, as many as the file has whole."""
    times = moments(fd, animation.container, os.fstat(fd).st_size)
    try:
        with open_image(fd, animation.container) as image:
            stated = animation.primaries, animation.transfer
            profile = profile_of(image, stated) if animation.convert else None
            # A PNG's picture for readers that know no animations is none of them.
            first = int(bool(image.info.get("default_image")))
            for number, moment in enumerate(times, first):
                image.seek(number)
                image.load()
                yield _frame(image, profile, moment.pts)
    except DAMAGE:
        return  # what is missing is missed by who counts


def _frame(image: Image.Image, profile: bytes | None, pts: int) -> av.VideoFrame:
    picture = resizable(image)
    if profile is not None:
        picture = in_srgb(picture, profile)
    data = picture.convert("RGBA").tobytes()
    frame = av.VideoFrame.from_bytes(data, picture.width, picture.height, format="rgba")
    frame.pts, frame.time_base = pts, Fraction(1, TICKS)
    return frame
