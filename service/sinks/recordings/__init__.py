"""Where records are recorded: files of JSON lines, each of the shape that a Lambda event has."""

from __future__ import annotations

from .files import RecordingFile
from .lines import lines_of
from .masks import Masks
from .recorder import Recorder

__all__ = ["Masks", "Recorder", "RecordingFile", "lines_of"]
