"""The doctor on the real servers: it reads their answers like those of the embedded servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import test_doctor as embedded
from deployments import Deployment, ask, drop
from fakes import Items

from service.commands.doctor import DoctorContext, Finding, cluster, indices
from service.context import Context
from service.routing import IndexDeclaration, Router
from service.settings import Settings
from service.sinks.opensearch.index_creation import create_missing

test_faults = embedded.test_faults_are_named
test_a_server_that_makes_indices = (
    embedded.test_a_server_that_makes_indices_by_itself_is_named_with_what_forbids_it
)
test_a_path = embedded.test_a_path_in_the_address_that_leads_nowhere_is_named


@pytest.fixture(autouse=True)
def without_auto_create(opensearch_url: str, elasticsearch_url: str) -> Iterator[None]:
    """Disable the automatic creation of indices, as servers should be set up."""
    for url in (opensearch_url, elasticsearch_url):
        ask("PUT", f"{url}/_cluster/settings", {"persistent": {"action.auto_create_index": "false"}})
    yield
    for url in (opensearch_url, elasticsearch_url):
        ask("PUT", f"{url}/_cluster/settings", {"persistent": {"action.auto_create_index": None}})


def test_dynamodb_local_and_opensearch_are_well_and_stay_as_they_were(deployment: Deployment):
    before = embedded.traces(deployment)
    assert embedded.findings(deployment) == []
    assert embedded.traces(deployment) == before


def of_elasticsearch(url: str) -> list[Finding]:
    with Context(Settings(search_url=url)) as context:
        create_missing(context, IndexDeclaration("items", {"properties": {"n": {"type": "double"}}}))
        patient = DoctorContext(context, Router([Items()]))
        return [*cluster.check(patient), *indices.check(patient, "items")]


def test_elasticsearch_is_read_too(elasticsearch_url: str):
    url = elasticsearch_url
    assert of_elasticsearch(url) == []
    ask("PUT", f"{url}/items/_settings", {"index": {"gc_deletes": "1m", "blocks": {"read_only": True}}})
    limits = {"action.auto_create_index": None, "cluster.max_shards_per_node": 2}
    ask("PUT", f"{url}/_cluster/settings", {"persistent": limits})
    try:
        found = [(finding.topic, finding.subject.partition(" ")[0]) for finding in of_elasticsearch(url)]
        assert found == [("index", "search"), ("limits", "search"), ("index", "index"), ("index", "index")]
    finally:
        ask("PUT", f"{url}/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": None}})
        ask("PUT", f"{url}/items/_settings", {"index": {"blocks": {"read_only": None}}})
        drop(url, "items")
