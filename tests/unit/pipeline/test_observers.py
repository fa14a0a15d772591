"""Observers: an observer that fails disturbs neither the processing nor the other observers."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import raising

from service.pipeline.observers import Observer, Observers

TOLD = {
    "dispatched": (None,),
    "reindexed": ("shop:Orders", 1, False),
    "made_again": ([],),
    "retrying": ([], 0.1),
    "requested": (None,),
    "lost": ("table t", "shard", 0.0, 1.0),
    "redelivered": ("queue q", 1),
    "given_up": ("queue q", 1),
}


@pytest.mark.parametrize("name", TOLD)
def test_an_observer_that_fails_is_logged_and_the_others_are_told(name, caplog):
    failing, other, heard = Observer(), Observer(), []
    setattr(failing, name, raising(ValueError("a value")))
    setattr(other, name, lambda *arguments: heard.append(arguments))
    observers: Any = Observers(failing, other)
    getattr(observers, name)(*TOLD[name])
    assert heard == [TOLD[name]]
    (line,) = caplog.records
    assert "ValueError at " in line.reason
    assert "a value" not in line.reason
