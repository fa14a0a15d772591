"""What all unit tests share: Hypothesis without a deadline, for the machines of a CI are slow now and then."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unit", deadline=None, max_examples=100)
settings.load_profile("unit")
