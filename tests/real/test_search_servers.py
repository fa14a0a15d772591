"""The search sink's contract on the real OpenSearch and on Elasticsearch 7.10."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deployments import ask, drop
from test_search_contract import *  # noqa: F403  # the same tests run on the embedded server
from test_search_contract import Target

from service.errors import Halt
from service.pipeline import Outcome


@pytest.fixture(params=["opensearch", "elasticsearch"])
def search_url(request) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def without_auto_create(search_url: str) -> Iterator[None]:
    """Disable the automatic creation of indices. By default, a write or a versioned delete creates an index."""
    settings = f"{search_url}/_cluster/settings"
    ask("PUT", settings, {"persistent": {"action.auto_create_index": "false"}})
    yield
    ask("PUT", settings, {"persistent": {"action.auto_create_index": None}})


@pytest.mark.usefixtures("without_auto_create")
def test_an_index_that_was_deleted_is_made_again_with_its_mapping(target: Target):
    target.write(("a", 1, {"n": 1}))
    drop(target.url, target.index)
    outcomes = [target.write(("a", 2, None))[0].outcome, target.write(("b", 2, {"n": 2}))[0].outcome]
    assert outcomes == [Outcome.RETRY, Outcome.APPLIED]
    found = ask("GET", f"{target.url}/{target.index}")[f"{target.index}-000001"]
    assert found["settings"]["index"]["gc_deletes"] == "1h"


@pytest.mark.usefixtures("without_auto_create")
@pytest.mark.parametrize("document", [None, {"n": 1}])
def test_an_index_that_is_missing_halts_where_the_service_may_not_make_it(search_url: str, document):
    target = Target(search_url, create_indices=False)
    with pytest.raises(Halt, match=target.index):
        target.write(("a", 1, document))
    target.context.close()
