"""Routes with an ingest pipeline on the real OpenSearch. A script stands for the embedding model."""

from __future__ import annotations

import test_pipelines
from test_pipelines import *  # noqa: F403  # the same tests run on the embedded server
from test_pipelines import Place

SCRIPT = {"script": {"source": "ctx.embedding = ['vector': [ctx.title.length(), ctx.title.hashCode() % 97]]"}}


def test_documents_with_fields_of_a_script_are_verified_repaired_and_rebuilt(place: Place) -> None:
    test_pipelines.test_documents_are_written_verified_repaired_and_rebuilt_through_their_pipeline(place, SCRIPT)
