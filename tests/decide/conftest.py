"""How widely properties of pure code are searched.

`pytest tests/decide --hypothesis-profile=deep` searches for hours rather than seconds.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "deep", deadline=None, max_examples=5000, suppress_health_check=list(HealthCheck)
)
