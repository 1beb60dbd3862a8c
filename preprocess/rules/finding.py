"""What a rule may look at and what it may answer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from preprocess.facts import AudioTrack, Facts, VideoTrack
from preprocess.intent import Intent
from preprocess.plan import Reason, Route
from preprocess.profiles.model import AcceptVideo, TargetVideo, Tolerances
from preprocess.window import Chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A clip, what is allowed, and what is wanted."""

    facts: Facts
    video: VideoTrack
    chosen: Chosen
    accept: AcceptVideo
    target: TargetVideo
    tolerances: Tolerances
    intent: Intent

    @property
    def audio(self) -> AudioTrack | None:
        """The sound track that would be used."""
        return self.facts.audio


@dataclass(frozen=True, slots=True)
class Change:
    """Something is outside, and *route* is the cheapest one that mends it."""

    reason: Reason
    route: Route
    aside: str = ""
    """What the fix is also said to do where *route* is what is taken in the end."""

    def told(self, taken: Route) -> Reason:
        """The reason, for a file that goes by the route *taken*."""
        if not self.aside or taken is not self.route:
            return self.reason
        return replace(self.reason, fix=f"{self.reason.fix}, {self.aside}")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something is outside and cannot be mended."""

    reason: Reason


Finding = Change | Obstacle
Rule = Callable[[Case], Iterable[Finding]]
