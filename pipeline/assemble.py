"""All media of one request: had, planned together, prepared side by side, stored as they get ready.

Nothing is written before all of them have been looked at, so that every objection is told at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.digests import file_digest, url_digest
from pipeline.errors import ErrorCode, RequestRejected, SourceError
from pipeline.fetch import Fetcher
from pipeline.request import Medium, Resolved, is_url
from pipeline.sources import local_file
from pipeline.stores import Store
from pipeline.stores.content import Stored
from preprocess import (
    ClipPlan,
    Facts,
    InputRejected,
    Intent,
    Options,
    Plan,
    Prepared,
    Progress,
    Reason,
    Rejection,
    Resolution,
    Role,
    Target,
    decide,
    load_profile,
    nearest_ratio,
    pair_intents,
    prepare_file_async,
    prepare_pair_async,
    probe_file_async,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable


T = TypeVar("T")
_PAIR = ("image", "image_end")
_FRAMES = (Role.FIRST_FRAME, Role.LAST_FRAME)
_DEFAULT_OPTIONS = Options()


class Step(StrEnum):
    """What is being done to a medium."""

    FETCH = "fetch"
    PLAN = "plan"
    PREPARE = "prepare"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetProgress:
    """How far one medium has come."""

    field: str
    step: Step
    done: bool = False
    """The step is over."""
    preparing: Progress | None = None
    """Of ``prepare``."""
    sent_bytes: int | None = None
    """Of ``fetch`` and ``upload``."""
    total_bytes: int | None = None
    """``None``: not known."""


OnAsset = Callable[[AssetProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What will be done to the media of a request. Nothing has been, apart from fetching."""

    resolved: Resolved
    files: Mapping[str, Path]
    """Where the media that are prepared are now."""
    intents: Mapping[str, Intent]
    plans: Mapping[str, Plan]
    passed_on: Mapping[str, str] = field(repr=False)
    """URLs that are sent as they are."""
    digests: Mapping[str, str]
    """Of every medium as it was given, and of what is wanted of it: what a job's key is made of."""

    @property
    def input_s(self) -> Fraction | None:
        """Length of the clip that will be sent; ``None`` if there is none, or it is not known."""
        plan = self.plans.get("video")
        return plan.expected.duration_s if isinstance(plan, ClipPlan) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """The media of a request, ready to be named in it."""

    urls: Mapping[str, str] = field(repr=False)
    """By field, as all of these."""
    digests: Mapping[str, str]
    """As in `Planned`; of what was stored see ``prepared``."""
    prepared: Mapping[str, Prepared]
    stored: Mapping[str, Stored]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of what was prepared."""
        return {name: each.facts.size_bytes for name, each in self.prepared.items()}

    @property
    def input_s(self) -> Fraction | None:
        """Length of the clip that was prepared."""
        clip = self.prepared.get("video")
        return clip.facts.video.duration_s if clip is not None and clip.facts.video else None


def _ignore(_: AssetProgress) -> None:
    pass


# --- planning ----------------------------------------------------------------------------------


async def plan_media(
    resolved: Resolved,
    folder: Path,
    *,
    intent: Intent | None = None,
    options: Options = _DEFAULT_OPTIONS,
    fetcher: Fetcher | None = None,
    as_is: bool = False,
    on_progress: OnAsset = _ignore,
) -> Planned:
    """Get all media and decide about each; what has to be fetched is written into *folder*.

    That is an empty one of the caller's, who removes it in the end.

    *intent*: whatever the request leaves open (window, fit, sound, limits). *as_is*: public HTTPS
    URLs are only looked at, and passed on.

    Raises:
        RequestRejected: media are refused; every objection, each with its field.
        SourceError, PreparationFailed: one cannot be had or looked at.
        ValueError: *intent* names the profile of another model.
    """
    base = intent or Intent(profile=resolved.profile.name)
    if load_profile(base.profile).model != resolved.profile.model:
        msg = f"the intent is made for {base.profile}, the request for {resolved.profile.name}"
        raise ValueError(msg)
    getting = _Getting(fetcher or Fetcher(), folder, on_progress)
    media = resolved.media
    passed_on = {name: str(each) for name, each in media.items() if as_is and is_url(each)}
    await _gathered({name: getting.looked_at(url) for name, url in passed_on.items()})
    files = await _gathered(
        {
            name: getting.file(name, medium)
            for name, medium in media.items()
            if name not in passed_on
        }
    )
    intents = _intents(resolved, base, {})
    facts = await _gathered(
        {
            name: _probed(name, path, intents[name], options, on_progress)
            for name, path in files.items()
        }
    )
    intents = _intents(resolved, base, facts)
    plans = _decided(resolved, facts, intents)
    digests = await _gathered(
        {name: _digest(name, path, intents[name]) for name, path in files.items()}
    )
    return Planned(
        resolved=resolved,
        files=files,
        intents=intents,
        plans=plans,
        passed_on=passed_on,
        digests=digests | {name: url_digest(url) for name, url in passed_on.items()},
    )


@dataclass(frozen=True, slots=True)
class _Getting:
    """From media to files."""

    fetcher: Fetcher
    folder: Path
    on_progress: OnAsset

    async def looked_at(self, url: str) -> None:
        await self.fetcher.check(url)

    async def file(self, name: str, medium: Medium) -> Path:
        def told(so_far: int, total: int | None) -> None:
            self.on_progress(
                AssetProgress(field=name, step=Step.FETCH, sent_bytes=so_far, total_bytes=total)
            )

        path = await local_file(medium, self.folder / f"{name}.source", self.fetcher, told)
        self.on_progress(AssetProgress(field=name, step=Step.FETCH, done=True))
        return path


async def _probed(
    name: str, path: Path, intent: Intent, options: Options, on_progress: OnAsset
) -> Facts:
    on_progress(AssetProgress(field=name, step=Step.PLAN))
    with _field_named(name):
        facts = await probe_file_async(path, intent=intent, options=options)
    on_progress(AssetProgress(field=name, step=Step.PLAN, done=True))
    return facts


async def _digest(name: str, path: Path, intent: Intent) -> str:
    try:
        return await asyncio.to_thread(file_digest, path, intent)
    except OSError as error:
        msg = f"{name} cannot be read: {error.strerror or error}; check the disk"
        raise SourceError(ErrorCode.SOURCE_UNREADABLE, msg) from error


def _intents(resolved: Resolved, base: Intent, facts: Mapping[str, Facts]) -> dict[str, Intent]:
    """What is wanted of each medium, so that all go together with the request.

    Frames get the size that the clip will have. A clip keeps its own shape, unless the caller says
    otherwise: the request's ratio is that of the result, which the model makes.
    """
    ratio = str(resolved.parameters["aspect_ratio"])
    resolution = Resolution(str(resolved.parameters["resolution"]))
    wanted = {
        name: replace(
            base,
            mode=None,
            role=role,
            resolution=resolution,
            ratio=ratio if role in _FRAMES else base.ratio,
        )
        for name, role in resolved.roles.items()
    }
    if set(_PAIR) <= set(wanted):
        pair = pair_intents(facts.get(_PAIR[0]), resolved.profile, wanted[_PAIR[0]])
        return wanted | dict(zip(_PAIR, pair, strict=True))
    if "image_end" in wanted and ratio == "adaptive" and "video" in facts:
        plan = decide(facts["video"], resolved.profile, wanted["video"])
        if isinstance(plan, Plan):
            # The result has the shape of the clip it goes on from (Ark, create-task page, 2026-09).
            shape = Fraction(plan.expected.width_px, plan.expected.height_px)
            near = nearest_ratio(shape, resolved.profile.sizes[resolution.value])
            wanted["image_end"] = replace(wanted["image_end"], ratio=near)
    return wanted


def _decided(
    resolved: Resolved, facts: Mapping[str, Facts], intents: Mapping[str, Intent]
) -> dict[str, Plan]:
    decisions = {
        name: decide(each, resolved.profile, intents[name]) for name, each in facts.items()
    }
    refused = {n: each.reasons for n, each in decisions.items() if isinstance(each, Rejection)}
    if refused:
        raise _refusal(refused)
    return {name: each for name, each in decisions.items() if isinstance(each, Plan)}


# --- carrying out ------------------------------------------------------------------------------


async def assemble(
    planned: Planned,
    store: Store | None,
    folder: Path,
    *,
    options: Options = _DEFAULT_OPTIONS,
    on_progress: OnAsset = _ignore,
) -> Assembled:
    """Prepare what was planned into *folder*, and store each as soon as it is ready.

    *store* may be missing where nothing has to be stored.

    If one fails the rest stops; what was stored until then stays, under the name of its content.

    Raises:
        RequestRejected: a medium turned out to be damaged, or changed meanwhile.
        PreparationFailed, StoreError: something on our side, or in the store, failed.
    """
    work = _Work(planned, store, folder, options, on_progress)
    both = set(_PAIR) <= set(planned.files)
    groups: list[tuple[str, ...]] = [_PAIR] if both else []
    groups += [(name,) for name in planned.files if not (both and name in _PAIR)]
    done = await _gathered(
        {"+".join(group): work.carried_out(group) for group in groups},
        until=asyncio.FIRST_EXCEPTION,
    )
    prepared = {name: each for part in done.values() for name, (each, _) in part.items()}
    stored = {name: each for part in done.values() for name, (_, each) in part.items()}
    return Assembled(
        urls={**planned.passed_on, **{name: each.url for name, each in stored.items()}},
        digests=planned.digests,
        prepared=prepared,
        stored=stored,
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """From files to stored files."""

    planned: Planned
    store: Store | None
    folder: Path
    options: Options
    on_progress: OnAsset

    async def carried_out(self, group: tuple[str, ...]) -> dict[str, tuple[Prepared, Stored]]:
        with _field_named(" and ".join(group)):
            ready = await self._prepared(group)
        for name in group:
            self.on_progress(AssetProgress(field=name, step=Step.PREPARE, done=True))
        stored = await _gathered(
            {name: self._stored(name, each) for name, each in zip(group, ready, strict=True)},
            until=asyncio.FIRST_EXCEPTION,
        )
        return {name: (each, stored[name]) for name, each in zip(group, ready, strict=True)}

    async def _prepared(self, group: tuple[str, ...]) -> tuple[Prepared, ...]:
        """Everything is written into a folder of ours, so that what is hashed is what is sent."""
        folder = self.folder / group[0]
        await asyncio.to_thread(folder.mkdir)
        sources = [self.planned.files[name] for name in group]
        intent = self.planned.intents[group[0]]
        told = partial(self._preparing, group)
        if len(group) > 1:
            return await prepare_pair_async(
                *sources,
                intent=intent,
                directory=folder,
                options=self._options(group),
                on_progress=told,
            )
        return (
            await prepare_file_async(
                sources[0],
                intent=intent,
                target=Target(directory=folder),
                options=self._options(group),
                on_progress=told,
            ),
        )

    def _options(self, group: tuple[str, ...]) -> Options:
        """A clip has the whole budget, images one thread of it, which they need for a moment."""
        return self.options if "video" in group else replace(self.options, threads=1)

    def _preparing(self, group: tuple[str, ...], progress: Progress) -> None:
        self.on_progress(
            AssetProgress(field=group[progress.index], step=Step.PREPARE, preparing=progress)
        )

    async def _stored(self, name: str, prepared: Prepared) -> Stored:
        def told(sent: int, total: int | None) -> None:
            self.on_progress(
                AssetProgress(field=name, step=Step.UPLOAD, sent_bytes=sent, total_bytes=total)
            )

        self.on_progress(AssetProgress(field=name, step=Step.UPLOAD))
        assert self.store is not None  # noqa: S101 - there is something to store
        stored = await self.store.put(prepared, on_progress=told)
        self.on_progress(AssetProgress(field=name, step=Step.UPLOAD, done=True))
        return stored


# --- together ----------------------------------------------------------------------------------


async def _gathered(
    jobs: Mapping[str, Coroutine[Any, Any, T]], until: str = asyncio.ALL_COMPLETED
) -> dict[str, T]:
    """What all jobs return. None is left running, whatever happens.

    Raises:
        RequestRejected: with the objections of all that were refused.
        Exception: the first of those that failed otherwise.
    """
    tasks = {name: asyncio.create_task(job) for name, job in jobs.items()}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), return_when=until)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    ended = [task for task in tasks.values() if not task.cancelled()]
    errors = [error for task in ended if (error := task.exception()) is not None]
    reasons = [r for error in errors if isinstance(error, RequestRejected) for r in error.reasons]
    if reasons:
        raise RequestRejected(reasons) from errors[0]
    if errors:
        raise errors[0]
    return {name: task.result() for name, task in tasks.items()}


@contextmanager
def _field_named(name: str) -> Iterator[None]:
    """Objections say which medium they are about."""
    try:
        yield
    except InputRejected as rejected:
        raise _refusal({name: rejected.reasons}) from rejected


def _refusal(refused: Mapping[str, Iterable[Reason]]) -> RequestRejected:
    return RequestRejected(
        [
            replace(reason, measured=f"{name}: {reason.measured}")
            for name, reasons in refused.items()
            for reason in reasons
        ]
    )
