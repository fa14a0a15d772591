"""Searches and sums of DynamoDB numbers, whichever type comes first. The same tests run on the real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from deployments import ask, documents_of, drop

from service import TableRoute
from service.entrypoints.lambda_handler import handler_for

LAMBDA = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000, aws_request_id="r-1")
EVENT = json.loads(Path("tests/data/numbers.json").read_text())


class Free(TableRoute):
    """A route that writes all attributes of an item to an index without declared fields."""

    table: ClassVar = "free"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "free"

    def document(self, item: Any) -> Any:
        return {name: value for name, value in item.items() if name != "id"}


class Declared(Free):
    mapping: ClassVar = {
        "properties": {"price": {"type": "long"}},
        "dynamic_templates": [
            {"whole": {"match": "count_*", "match_mapping_type": "long", "mapping": {"type": "long"}}}
        ],
    }


@pytest.fixture
def letters(search_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield the folder of dead letters of a function that writes to a missing index."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SEARCH_URL", search_url)
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "letters"))
    drop(search_url, "free")
    yield tmp_path / "letters"
    drop(search_url, "free")


def records(*images: dict[str, Any]) -> dict[str, Any]:
    """Return a Lambda event like the sample, with other images."""
    found = []
    for place, image in enumerate(images):
        record = json.loads(json.dumps(EVENT["Records"][0]))
        name = {"id": {"S": f"r{place}"}}
        record["dynamodb"] |= {
            "Keys": name,
            "NewImage": {**name, **image},
            "SequenceNumber": f"{place}4" + "0" * 26,
        }
        found.append(record)
    return {"Records": found}


def search(url: str, body: dict[str, Any]) -> Any:
    ask("POST", f"{url}/free/_refresh")
    return ask("POST", f"{url}/free/_search", body)


def found(url: str, field: str, least: float) -> list[str]:
    hits = search(url, {"query": {"range": {field: {"gte": least}}}})["hits"]["hits"]
    return sorted(hit["_id"] for hit in hits)


def total(url: str, field: str) -> float:
    answer = search(url, {"size": 0, "aggs": {"sum": {"sum": {"field": field}}}})
    return float(answer["aggregations"]["sum"]["value"])


def types(url: str) -> dict[str, str]:
    ((_, index),) = ask("GET", f"{url}/free/_mapping").items()
    return {name: field.get("type", "object") for name, field in index["mappings"].get("properties", {}).items()}


def test_integers_then_fractions_are_found_and_summed_and_a_metadata_field_is_named(
    letters: Path, search_url: str
):
    assert handler_for(Free)(EVENT, LAMBDA) == {"batchItemFailures": []}
    assert found(search_url, "price", 12.2) == ["k3"]
    assert found(search_url, "price", 9.5) == ["k2", "k3"]
    assert total(search_url, "price") == 22.5
    assert found(search_url, "set", 567.5) == ["k1"]
    assert total(search_url, "set") == pytest.approx(1801.8)
    assert sorted(documents_of(search_url, "free")) == ["k1", "k2", "k3"]
    (letter,) = [json.loads(path.read_text()) for path in letters.glob("*.json")]
    assert letter["record"]["dynamodb"]["Keys"] == {"id": {"S": "k4"}}
    assert "_version is a metadata field" in letter["reason"]
    assert "or rename it" in letter["reason"]


def test_lists_sets_and_objects_hold_integers_and_fractions(letters: Path, search_url: str):
    both = {"L": [{"N": "1"}, {"N": "2.5"}]}
    event = records(
        {"list": both, "set": {"NS": ["1", "2.5"]}, "map": {"M": {"n": {"N": "7"}}}},
        {"list": {"L": [{"N": "2.5"}, {"N": "1"}]}, "map": {"M": {"n": {"N": "0.5"}}}},
        {"list": both, "other": {"N": "1"}},
        {"other": {"N": "9223372036854775808"}},
    )
    assert handler_for(Free)(event, LAMBDA) == {"batchItemFailures": []}
    assert not list(letters.glob("*.json"))
    assert total(search_url, "list") == 10.5
    assert total(search_url, "map.n") == 7.5
    assert found(search_url, "map.n", 0.4) == ["r0", "r1"]


def test_what_a_route_declares_wins(letters: Path, search_url: str):
    images = {"price": {"N": "10"}, "count_x": {"N": "3"}, "rate": {"N": "3"}, "big": {"N": str(2**53 + 1)}}
    assert handler_for(Declared)(records(images), LAMBDA) == {"batchItemFailures": []}
    assert types(search_url) == {"price": "long", "count_x": "long", "rate": "double", "big": "double"}
    assert documents_of(search_url, "free")["r0"]["big"] == 2**53 + 1  # `_source` is exact; a search rounds


def test_the_server_decides_where_the_setting_says_so(letters: Path, search_url: str, monkeypatch):
    monkeypatch.setenv("STREAMDEX_UNDECLARED_NUMBERS", "dynamic")
    assert handler_for(Free)(records({"price": {"N": "10"}}), LAMBDA) == {"batchItemFailures": []}
    assert types(search_url) == {"price": "long"}
