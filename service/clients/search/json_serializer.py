"""The JSON serializer of opensearch-py's client."""

from __future__ import annotations

from typing import Any

from opensearchpy import JSONSerializer

from .response_reader import read_answer


class AnswerReader(JSONSerializer):
    """A JSONSerializer that parses responses faster."""

    def loads(self, s: str) -> Any:
        """Parse a response. Raises UnexpectedAnswer if it is not JSON."""
        return read_answer(s)
