"""Fixtures: a page with models, for each test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from page_bench import Page


@pytest.fixture
def make(tmp_path) -> Callable[..., Page]:
    return lambda *routes, **options: Page(tmp_path / "letters", *routes, **options)


@pytest.fixture
def page(make) -> Page:
    return make()
