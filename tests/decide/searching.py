"""Settings of the properties here."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def widely(examples: int = 200) -> settings:
    """Search *examples* cases, or as many as a deep run wants."""
    current = settings.default
    assert current is not None
    if settings.get_current_profile_name() == "deep":
        return settings(current)
    # Clips of a minute at 240 fps are large, and most drawn files are rejected.
    return settings(
        current,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
