"""What the worker can do: probe, execute and measure anew. The only way to native code."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av

from preprocess import wire
from preprocess.engines.failures import (
    PlanMismatch,
    ProgramFailed,
    SoundDamaged,
    SoundLost,
    SoundUneven,
    SourceDamaged,
)
from preprocess.engines.frames import encode_frames
from preprocess.engines.packets import copy_packets
from preprocess.intent import Window, WindowKind
from preprocess.job import (
    ExecuteRequest,
    ImageMeasured,
    ImageRequest,
    Opening,
    ProbeRequest,
    TrialRequest,
    VerifyRequest,
)
from preprocess.plan import Route
from preprocess.probe.readback import read_back
from preprocess.probe.video import probe_descriptor
from preprocess.worker.protocol import OperationError

_ANY_WINDOW = ProbeRequest(
    window=Window(kind=WindowKind.HEAD), cap_s=Fraction(0), tail_tolerance_s=Fraction(0)
)
Progress = Callable[[float], None]


def probe(args: dict[str, Any], fds: list[int], _progress: Progress) -> dict[str, Any]:
    """Facts of the file behind the descriptor."""
    probed = probe_descriptor(fds[0], wire.load(ProbeRequest, args["request"]))
    return {"probed": wire.dump(probed)}


def execute(args: dict[str, Any], fds: list[int], progress: Progress) -> dict[str, Any]:
    """Carry out a plan into the named temporary."""
    request = wire.load(ExecuteRequest, args["request"])
    plan = request.plan
    with _told():
        if request.external is not None:
            from preprocess.engines import external  # noqa: PLC0415 - the second engine alone

            outcome = external.encode(fds[0], request, request.external, progress)
        elif plan.route is Route.ENCODE:
            outcome = encode_frames(
                fds[0],
                request.opening,
                plan,
                request.path,
                audio_offset_s=request.audio_offset_s,
                threads=request.threads,
                progress=progress,
            )
        else:
            assert isinstance(request.opening, Opening)  # noqa: S101 - of images nothing is copied
            outcome = copy_packets(
                fds[0],
                request.opening,
                plan,
                request.path,
                audio_offset_s=request.audio_offset_s,
                progress=progress,
            )
    return {"outcome": wire.dump(outcome)}


@contextmanager
def _told() -> Iterator[None]:
    """Put what an engine found out about the source into words that travel."""
    try:
        yield
    except SourceDamaged as error:
        details = {"readable": error.readable, "expected": error.expected}
        msg = "source_damaged"
        raise OperationError(msg, str(error), details) from error
    except PlanMismatch as error:
        msg = "plan_mismatch"
        raise OperationError(msg, str(error)) from error
    except SoundLost as error:
        msg = "sound_lost"
        raise OperationError(msg, "no sound of the window can be decoded") from error
    except SoundDamaged as error:
        sound = {"readable_s": float(error.there_s), "expected_s": float(error.promised_s)}
        msg = "sound_damaged"
        raise OperationError(msg, str(error), sound) from error
    except SoundUneven as error:
        msg = "sound_uneven"
        raise OperationError(msg, str(error)) from error
    except ProgramFailed as error:
        raise OperationError(error.code, str(error), {"detail": error.detail}) from error
    except av.InvalidDataError as error:
        msg = "invalid_data"
        raise OperationError(msg, str(error)) from error


def seek_point(args: dict[str, Any], fds: list[int], _progress: Progress) -> dict[str, Any]:
    """Where an ffmpeg program has to seek, which only a look into the file can tell."""
    from preprocess.engines import external  # noqa: PLC0415 - the second engine alone

    request = wire.load(ExecuteRequest, args["request"])
    assert isinstance(request.opening, Opening)  # noqa: S101 - as in `execute`
    with _told():
        return {"seek_s": wire.dump(external.seek_s(fds[0], request.opening, request.plan))}


def ask_binary(args: dict[str, Any], _fds: list[int], _progress: Progress) -> dict[str, Any]:
    """What an ffmpeg program says of itself."""
    from preprocess.engines import external  # noqa: PLC0415 - the second engine alone

    with _told():
        return {"binary": wire.dump(external.ask(str(args["path"])))}


def try_encoder(args: dict[str, Any], _fds: list[int], _progress: Progress) -> dict[str, Any]:
    """Whether an encoder of an ffmpeg program works here."""
    from preprocess.engines import external  # noqa: PLC0415 - the second engine alone

    with _told():
        external.try_encoder(wire.load(TrialRequest, args["request"]))
    return {}


def verify(args: dict[str, Any], fds: list[int], _progress: Progress) -> dict[str, Any]:
    """Measure a result."""
    request = wire.load(VerifyRequest, args["request"])
    return {"measured": wire.dump(read_back(fds[0], request, int(args["threads"])))}


def prepare_image(args: dict[str, Any], fds: list[int], _progress: Progress) -> dict[str, Any]:
    """Carry out an image plan into the named temporary."""
    from preprocess.engines import images  # noqa: PLC0415 - Pillow is for images only

    request = wire.load(ImageRequest, args["request"])
    with _told():
        outcome = images.prepare_image(
            fds[0], request.container, request.plan, request.path, request.threads
        )
    return {"outcome": wire.dump(outcome)}


def verify_image(args: dict[str, Any], fds: list[int], _progress: Progress) -> dict[str, Any]:
    """Measure an image result, and decode it; its pixels are told where they had to stay."""
    from preprocess.engines import images  # noqa: PLC0415 - as above

    probed = probe_descriptor(fds[0], _ANY_WINDOW)
    container = probed.facts.container or ""
    pixels, damage = None, None
    try:
        if args["digest"]:
            pixels = images.pixel_digest(fds[0], container)
        else:
            images.check_whole(fds[0], container)
    except SourceDamaged as error:
        damage = str(error)
    measured = ImageMeasured(facts=probed.facts, pixels=pixels, damage=damage)
    return {"measured": wire.dump(measured)}


def versions(_args: dict[str, Any], _fds: list[int], _progress: Progress) -> dict[str, Any]:
    """Versions of everything that touches pixels, for the receipt."""
    libraries = {
        name: ".".join(str(part) for part in version)
        for name, version in av.library_versions.items()
    }
    return {
        "python": platform.python_version(),
        "av": av.__version__,
        "ffmpeg": getattr(av, "ffmpeg_version_info", ""),
        **libraries,
    }


OPERATIONS: dict[str, Callable[[dict[str, Any], list[int], Progress], dict[str, Any]]] = {
    "probe": probe,
    "execute": execute,
    "seek_point": seek_point,
    "ask_binary": ask_binary,
    "try_encoder": try_encoder,
    "verify": verify,
    "prepare_image": prepare_image,
    "verify_image": verify_image,
    "versions": versions,
}
