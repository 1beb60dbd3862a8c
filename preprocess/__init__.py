"""clipready's media side: whatever is uploaded becomes what a video model accepts.

    from preprocess import Intent, Mode, prepare_file

    prepared = prepare_file("IMG_0042.MOV", intent=Intent(mode=Mode.EDIT))
    prepared.path, prepared.route, prepared.reasons, prepared.receipt

Every effectful call exists twice: plain, and with ``_async`` for asyncio callers, where cancelling
the task kills the worker process. Media is parsed in that worker only; importing this package
loads no decoder. Times are `Fraction` seconds, sizes pixels, unless a name says otherwise.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preprocess.binary import Encoder, Engine
    from preprocess.errors import (
        ClipreadyError,
        FailureCode,
        InputRejected,
        PreparationFailed,
        ProfileInvalid,
    )
    from preprocess.facts import Facts, Kind, StillImage
    from preprocess.front import (
        Prepared,
        decode_clip,
        decode_clip_async,
        plan_command,
        plan_command_async,
        plan_file,
        plan_file_async,
        plan_pair,
        plan_pair_async,
        prepare_file,
        prepare_file_async,
        prepare_pair,
        prepare_pair_async,
        probe_file,
        probe_file_async,
        process_file,
        process_file_async,
        process_pair,
        process_pair_async,
    )
    from preprocess.geometry import Gravity
    from preprocess.image_planner import pair_intents
    from preprocess.intent import (
        AudioChoice,
        Fit,
        Intent,
        Limits,
        Mode,
        Resolution,
        Role,
        Short,
        VerifyLevel,
        Window,
        WindowKind,
        parse_window,
    )
    from preprocess.naming import endings
    from preprocess.pair import both_or_none
    from preprocess.plan import ClipPlan, ImagePlan, Plan, Price, Reason, Rejection, Route
    from preprocess.planner import decide
    from preprocess.profiles import ApiParameter, Profile
    from preprocess.profiles.load import load_profile, profile_names
    from preprocess.publish import finish_temporary, temporary
    from preprocess.receipt import own_version
    from preprocess.report import (
        SCHEMA,
        Problem,
        Report,
        Status,
        decision_data,
        facts_data,
        report_data,
    )
    from preprocess.rules.image import nearest_ratio
    from preprocess.task import Options, Progress, Stage, Target, targets_for
    from preprocess.worker.client import prestart

__all__ = [
    "SCHEMA",
    "ApiParameter",
    "AudioChoice",
    "ClipPlan",
    "ClipreadyError",
    "Encoder",
    "Engine",
    "Facts",
    "FailureCode",
    "Fit",
    "Gravity",
    "ImagePlan",
    "InputRejected",
    "Intent",
    "Kind",
    "Limits",
    "Mode",
    "Options",
    "Plan",
    "PreparationFailed",
    "Prepared",
    "Price",
    "Problem",
    "Profile",
    "ProfileInvalid",
    "Progress",
    "Reason",
    "Rejection",
    "Report",
    "Resolution",
    "Role",
    "Route",
    "Short",
    "Stage",
    "Status",
    "StillImage",
    "Target",
    "VerifyLevel",
    "Window",
    "WindowKind",
    "both_or_none",
    "decide",
    "decision_data",
    "decode_clip",
    "decode_clip_async",
    "endings",
    "facts_data",
    "finish_temporary",
    "load_profile",
    "nearest_ratio",
    "own_version",
    "pair_intents",
    "parse_window",
    "plan_command",
    "plan_command_async",
    "plan_file",
    "plan_file_async",
    "plan_pair",
    "plan_pair_async",
    "prepare_file",
    "prepare_file_async",
    "prepare_pair",
    "prepare_pair_async",
    "prestart",
    "probe_file",
    "probe_file_async",
    "process_file",
    "process_file_async",
    "process_pair",
    "process_pair_async",
    "profile_names",
    "report_data",
    "targets_for",
    "temporary",
]

# Names come in when they are first asked for (PEP 562): the worker, which is a module of this
# package, starts without what only its caller needs (0.3 s of CPU time, measured 2026-11), and the
# command line starts a worker before it reads the rest.
_HOMES = {
    "binary": ("Encoder", "Engine"),
    "errors": (
        *("ClipreadyError", "FailureCode", "InputRejected", "PreparationFailed", "ProfileInvalid"),
    ),
    "facts": ("Facts", "Kind", "StillImage"),
    "geometry": ("Gravity",),
    "front": (
        *("Prepared", "decode_clip", "decode_clip_async"),
        *("plan_command", "plan_command_async"),
        *("plan_file", "plan_file_async", "plan_pair", "plan_pair_async"),
        *("prepare_file", "prepare_file_async", "prepare_pair", "prepare_pair_async"),
        *("probe_file", "probe_file_async", "process_file", "process_file_async"),
        *("process_pair", "process_pair_async"),
    ),
    "intent": (
        *("AudioChoice", "Fit", "Intent", "Limits", "Mode", "Resolution", "Role", "Short"),
        *("VerifyLevel", "Window", "WindowKind", "parse_window"),
    ),
    "image_planner": ("pair_intents",),
    "naming": ("endings",),
    "pair": ("both_or_none",),
    "plan": ("ClipPlan", "ImagePlan", "Plan", "Price", "Reason", "Rejection", "Route"),
    "planner": ("decide",),
    "profiles": ("ApiParameter", "Profile"),
    "profiles.load": ("load_profile", "profile_names"),
    "publish": ("finish_temporary", "temporary"),
    "receipt": ("own_version",),
    "report": (
        *("SCHEMA", "Problem", "Report", "Status"),
        *("decision_data", "facts_data", "report_data"),
    ),
    "rules.image": ("nearest_ratio",),
    "task": ("Options", "Progress", "Stage", "Target", "targets_for"),
    "worker.client": ("prestart",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
