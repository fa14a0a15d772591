"""A bucket whose one object has other delimiters than most."""

from __future__ import annotations

from service import Context

from .objects import bucket_with

KEY = "other.csv"


def other_delimiter(delimiter: str = "!", newline: str = "\r\n") -> Context:
    """Two lines of three columns under KEY, and no newline at the end."""
    lines = [("Ada", "reading, writing", "30"), ("Zoë", "walking", "20")]
    return bucket_with({KEY: newline.join(delimiter.join(line) for line in lines).encode()})
