"""Fixed contexts for a route, a sink or a dispatcher, each by name."""

from __future__ import annotations

from .empty_bucket import empty_bucket
from .failing_search import failing_search
from .no_time_left import Countdown, no_time_left
from .objects import Objects, bucket_with
from .other_delimiter import other_delimiter

__all__ = [
    "Countdown",
    "Objects",
    "bucket_with",
    "empty_bucket",
    "failing_search",
    "no_time_left",
    "other_delimiter",
]
