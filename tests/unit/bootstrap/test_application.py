"""The sources of an application, made from its settings."""

from __future__ import annotations

from threading import Event

import pytest
from fakes import Items

from service.bootstrap.application import App
from service.settings import Settings


@pytest.mark.parametrize(
    ("read_streams", "names"), [(True, ["table images", "queue records"]), (False, ["queue records"])]
)
def test_streams_are_read_unless_a_queue_brings_what_is_in_them(tmp_path, read_streams, names):
    settings = Settings(
        search_url="http://search.test",
        read_queue=("records",),
        read_streams=read_streams,
        checkpoints=str(tmp_path / "checkpoints.sqlite"),
        dead_letters=str(tmp_path / "letters"),
    )
    with App(settings, [Items()]) as app:
        assert [source.name for source in app.sources(Event())] == names
