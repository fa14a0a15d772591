"""Recordings: files of JSON lines, each in the format of a Lambda event."""

from __future__ import annotations

from .masks import Masks
from .recorder import Recorder
from .recording_files import RecordingFile
from .recording_lines import lines_of

__all__ = ["Masks", "Recorder", "RecordingFile", "lines_of"]
