"""Pipelines and computed fields as routes declare them, and the errors of wrong declarations."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.shim.processors import run, steps_of
from service.errors import DeclarationError, SettingsError
from service.routing import Names, PipelineDeclaration, Router, TableRoute, setting
from service.routing.computed_fields import check_document, without

EMBED = {"processors": [{"set": {"field": "embedding", "value": [1.0]}}]}
HYBRID = {"phase_results_processors": [{"normalization-processor": {}}]}


class Things(TableRoute):
    table: ClassVar = "things"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "things"

    def document(self, item: Any) -> Any:
        return item


class Writes(TableRoute):
    table: ClassVar = "things"
    key: ClassVar = {"id": "S"}
    writes: ClassVar = {"table": "others"}

    def insert(self, record: Any, context: Any) -> Any:
        return []


def route(name: str = "Mine", **declared: Any) -> TableRoute:
    return type(name, (Things,), {"table": name.lower(), **declared})()


def test_the_pipelines_of_an_index_have_their_actual_names():
    mine = route(
        pipeline="embed",
        pipelines={"embed": EMBED},
        search_pipelines={"hybrid": HYBRID},
        computed=["embedding"],
        index_settings={"index": {"search": {"default_pipeline": "hybrid"}, "final_pipeline": "_none"}},
    )
    router = Router([mine], Names({"pipeline/embed": "embed-lab", "pipeline/hybrid": "hybrid lab"}))
    (bound,) = router.bound
    assert (bound.pipeline, bound.computed) == ("embed-lab", ("embedding",))
    (declared,) = router.indices.values()
    assert declared.pipelines == (
        PipelineDeclaration("ingest", "embed-lab", EMBED),
        PipelineDeclaration("search", "hybrid lab", HYBRID),
    )
    assert [one.path for one in declared.pipelines] == [
        "/_ingest/pipeline/embed-lab",
        "/_search/pipeline/hybrid%20lab",
    ]
    assert declared.settings == {"search.default_pipeline": "hybrid lab", "final_pipeline": "_none"}


def test_a_route_without_a_pipeline_names_none():
    (bound,) = Router([route()]).bound
    assert (bound.pipeline, bound.computed) == ("", ())


def test_a_pipeline_that_others_manage_need_not_be_declared():
    (bound,) = Router([route(pipeline="theirs")]).bound
    assert bound.pipeline == "theirs"
    assert Router([route(pipeline="_none")]).bound[0].pipeline == "_none"


def test_an_actual_name_of_another_pipeline_is_refused():
    with pytest.raises(SettingsError, match="pipeline/embed is mapped to 'theirs'"):
        Router([route(pipeline="theirs")], Names({"pipeline/embed": "theirs"}))


@dataclass(frozen=True)
class WithSetting(Things):
    model_id: str = setting("small", "the id of the embedding model")

    @property
    def pipelines(self) -> Any:  # type: ignore[override]
        return {"embed": {"processors": [{"text_embedding": {"model_id": self.model_id}}]}}


def test_a_pipeline_can_depend_on_a_setting_of_the_route():
    (declared,) = Router([WithSetting(model_id="large")]).indices.values()
    assert declared.pipelines[0].body == {"processors": [{"text_embedding": {"model_id": "large"}}]}


def test_a_body_is_what_the_server_returns():
    body = MappingProxyType({"processors": ({"set": MappingProxyType({"field": "a", "value": (1,)})},)})
    (declared,) = Router([route(pipelines={"embed": body})]).indices.values()
    assert declared.pipelines[0].body == {"processors": [{"set": {"field": "a", "value": [1]}}]}


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"pipeline": ("embed",)}, r"\.pipeline must be the name of one ingest pipeline"),
        ({"pipeline": "a,b"}, r"\.pipeline must be the name"),
        ({"pipelines": ["embed"]}, r"\.pipelines must be a dict of pipelines by name"),
        ({"pipelines": {"em*bed": EMBED}}, r"\.pipelines: 'em\*bed' is not a valid name"),
        ({"pipelines": {"_none": EMBED}}, r"'_none' is not a valid name\. .* not beginning with _"),
        ({"search_pipelines": {7: HYBRID}}, r"\.search_pipelines: 7 is not a valid name"),
        ({"pipelines": {"embed": [EMBED]}}, r"\.pipelines\['embed'\] must be a dict with processors"),
        ({"pipelines": {"embed": HYBRID}}, r"must be a dict with processors"),
        (
            {"search_pipelines": {"hybrid": EMBED}},
            r"must be a dict with request_processors or response_processors",
        ),
        ({"pipelines": {"embed": {"processors": {"set": {}}}}}, r"processors must be a list of processors"),
        ({"pipelines": {"embed": {"processors": [{"set": {}, "remove": {}}]}}}, r"must be a list of processors"),
        (
            {"pipelines": {"embed": {"processors": [{"set": {"field": "a", "value": Decimal(1)}}]}}},
            r"cannot be sent as JSON: .*Decimal",
        ),
        ({"computed": "embedding"}, r"\.computed must be a collection of dotted field names"),
        ({"computed": ("a..b",)}, r"\.computed must be a collection"),
        ({"computed": (1,)}, r"\.computed must be a collection"),
    ],
)
def test_a_wrong_declaration_is_refused_with_a_remedy(declared, message):
    with pytest.raises(DeclarationError, match=message):
        Router([route(**declared)])


@pytest.mark.parametrize(
    "declared",
    [
        {"pipeline": "embed"},
        {"pipelines": {"embed": EMBED}},
        {"search_pipelines": {"h": HYBRID}},
        {"computed": ["a"]},
    ],
)
def test_a_route_without_an_index_has_no_use_for_a_pipeline(declared):
    mine = type("Mine", (Writes,), declared)()
    with pytest.raises(DeclarationError, match=rf"declares {next(iter(declared))} but no index\. Declare index"):
        Router([mine])


def test_two_routes_may_share_a_pipeline_and_must_declare_it_equally():
    one, other = route("One", pipelines={"embed": EMBED}), route("Other", index="more", pipelines={"embed": EMBED})
    assert [len(declared.pipelines) for declared in Router([one, other]).indices.values()] == [1, 1]
    different = route("Other", index="more", pipelines={"embed": {**EMBED, "description": "x"}})
    with pytest.raises(DeclarationError, match=r"One and .*Other declare ingest pipeline 'embed' differently"):
        Router([one, different])


def test_an_ingest_and_a_search_pipeline_may_have_one_name():
    mine = route(pipelines={"embed": EMBED}, search_pipelines={"embed": HYBRID})
    (declared,) = Router([mine]).indices.values()
    assert [one.kind for one in declared.pipelines] == ["ingest", "search"]


@pytest.mark.parametrize(
    ("document", "computed", "rest"),
    [
        ({"a": 1, "v": [1]}, ["v"], {"a": 1}),
        ({"a": 1, "m": {"v": 1, "n": 2}}, ["m.v"], {"a": 1, "m": {"n": 2}}),
        ({"a": 1, "m": {"v": 1}}, ["m.v"], {"a": 1}),
        ({"a": 1, "m": {"n": {"v": 1, "w": 2}}}, ["m.n.v", "m.n.w"], {"a": 1}),
        ({"m.v": 1, "m.n": 2}, ["m.v"], {"m.n": 2}),
        ({"c": [{"t": 1, "v": 2}, {"v": 3}, 4]}, ["c.v"], {"c": [{"t": 1}, {}, 4]}),
        ({"v": {"a": 1}, "vw": 2}, ["v"], {"vw": 2}),
        ({"m": 1}, ["m.v"], {"m": 1}),
        (None, ["v"], None),
    ],
)
def test_computed_fields_are_left_out(document, computed, rest):
    assert without(document, computed) == rest


@pytest.mark.parametrize(
    ("document", "path"),
    [({"v": None}, "v"), ({"m": {"v": 1}}, "m.v"), ({"m.v": 1}, "m.v"), ({"c": [{"t": 1}, {"v": 2}]}, "c.v")],
)
def test_a_document_with_a_computed_field_is_refused(document: Any, path: str):
    (bound,) = Router([route(computed=["other", path])]).bound
    with pytest.raises(
        DeclarationError, match=rf"test_pipeline_declarations:Mine returns the field {path} in its"
    ):
        check_document(bound, document)


def test_an_object_that_could_hold_a_computed_field_is_no_computed_field():
    (bound,) = Router([route(computed=["m.v"])]).bound
    check_document(bound, {"m": {}, "v": 1})
    check_document(bound, {"m": {"w": 1}})


NAMES = st.text("xyz", min_size=1, max_size=1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2),
    lambda inner: st.dictionaries(NAMES, inner, max_size=2) | st.lists(inner, max_size=2),
    max_leaves=6,
)


@given(
    document=st.dictionaries(NAMES, VALUES, max_size=3),
    paths=st.lists(st.lists(NAMES, min_size=1, max_size=3).map(".".join), max_size=3),
)
def test_what_a_pipeline_puts_into_computed_fields_is_never_a_difference(document: Any, paths: list[str]):
    processors = [{"set": {"field": path, "value": [0.5], "ignore_failure": True}} for path in paths]
    made = run(steps_of({"processors": processors}), document)
    assert without(made, paths) == without(document, paths)
