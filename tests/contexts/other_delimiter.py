"""A bucket with one object that has unusual delimiters."""

from __future__ import annotations

from service import Context

from .objects import bucket_with

KEY = "other.csv"


def other_delimiter(delimiter: str = "!", newline: str = "\r\n") -> Context:
    """Return a context with two lines of three columns under KEY, without a final newline."""
    lines = [("Ada", "reading, writing", "30"), ("Zoë", "walking", "20")]
    return bucket_with({KEY: newline.join(delimiter.join(line) for line in lines).encode()})
