"""clipready's media side: whatever is uploaded becomes what a video model accepts.

    from preprocess import Intent, Mode, prepare_file

    prepared = prepare_file("IMG_0042.MOV", intent=Intent(mode=Mode.EDIT))
    prepared.path, prepared.route, prepared.reasons, prepared.receipt

Every effectful call exists twice: plain, and with ``_async`` for asyncio callers, where cancelling
the task kills the worker process. Media is parsed in that worker only; importing this package
loads no decoder. Times are `Fraction` seconds, sizes pixels, unless a name says otherwise.
"""

from preprocess.errors import (
    ClipreadyError,
    FailureCode,
    InputRejected,
    PreparationFailed,
    ProfileInvalid,
)
from preprocess.facts import Facts, Kind
from preprocess.front import (
    Prepared,
    plan_file,
    plan_file_async,
    prepare_file,
    prepare_file_async,
    probe_file,
    probe_file_async,
    process_file,
    process_file_async,
)
from preprocess.intent import (
    AudioChoice,
    Fit,
    Intent,
    Limits,
    Mode,
    Role,
    Short,
    VerifyLevel,
    Window,
    WindowKind,
    parse_window,
)
from preprocess.naming import distinct_stems
from preprocess.plan import Plan, Reason, Rejection, Route
from preprocess.prepare import Options, Progress, Stage, Target
from preprocess.profiles import Profile
from preprocess.profiles.load import load_profile, profile_names
from preprocess.receipt import own_version
from preprocess.report import (
    SCHEMA,
    Report,
    Status,
    decision_data,
    facts_data,
    report_data,
)
from preprocess.worker.client import prestart

__all__ = [
    "SCHEMA",
    "AudioChoice",
    "ClipreadyError",
    "Facts",
    "FailureCode",
    "Fit",
    "InputRejected",
    "Intent",
    "Kind",
    "Limits",
    "Mode",
    "Options",
    "Plan",
    "Prepared",
    "PreparationFailed",
    "Profile",
    "ProfileInvalid",
    "Progress",
    "Reason",
    "Rejection",
    "Report",
    "Role",
    "Route",
    "Short",
    "Stage",
    "Status",
    "Target",
    "VerifyLevel",
    "Window",
    "WindowKind",
    "decision_data",
    "distinct_stems",
    "facts_data",
    "load_profile",
    "own_version",
    "parse_window",
    "plan_file",
    "plan_file_async",
    "prepare_file",
    "prepare_file_async",
    "prestart",
    "probe_file",
    "probe_file_async",
    "process_file",
    "process_file_async",
    "profile_names",
    "report_data",
]
