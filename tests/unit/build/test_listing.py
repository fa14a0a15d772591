"""The package of routes after FUNC has selected modules."""

from __future__ import annotations

import pytest

from infra.build.declared import Declared
from infra.build.listing import chosen_modules, text_with
from service.errors import SettingsError
from service.routing.loading import load_routes

TEXT = '''\
"""Mine, in Überlingen."""

from .common import SIZE

ROUTES: list[str] = ["a:One", "b:Two", "a:Three"]  # in this order

OTHER = ["a:One"]
'''


@pytest.fixture
def package(tmp_path):
    (tmp_path / "__init__.py").write_text(TEXT)
    return tmp_path


def test_only_the_chosen_entries_stay_and_the_rest_of_the_text_as_it_was(package):
    before, _, after = TEXT.partition('["a:One", "b:Two", "a:Three"]')
    assert text_with(package, ["a"]) == before + '[\n    "a:One",\n    "a:Three",\n]' + after
    assert text_with(package, []) == TEXT


def test_a_module_that_is_not_listed_is_told_with_those_that_are(package):
    assert chosen_modules(package, []) == ["a", "b"]
    assert chosen_modules(package, ["b"]) == ["b"]
    with pytest.raises(SettingsError, match=r"no routes in c\. Modules with routes: a, b"):
        chosen_modules(package, ["b", "c"])


@pytest.mark.parametrize("text", ["", "ROUTES = list()", "ROUTES = [NAME]", "ROUTES = [f'{x}:Y']"])
def test_routes_that_are_not_written_out_cannot_be_chosen_from(tmp_path, text):
    (tmp_path / "__init__.py").write_text(text)
    with pytest.raises(SettingsError, match="must be a literal list of strings"):
        chosen_modules(tmp_path, ["a"])


def test_an_extra_is_declared_once_and_comes_with_the_module_that_needs_it():
    extras, needs = {"images": ["pillow"], "sql": ["sqlalchemy"]}, {"a": ["images"], "b": ["sql", "images"]}
    said = Declared(["boto3"], extras, "3.14", needs, [], [])
    assert said.needed_by(["a", "c"]) == ["boto3", "pillow"]
    assert said.needed_by(["b"]) == ["boto3", "sqlalchemy", "pillow"]
    with pytest.raises(SettingsError, match=r"names the unknown extra 'geo'\. Known extras: images"):
        Declared(["boto3"], {"images": []}, "3.14", {"a": ["geo"]}, [], []).needed_by(["a"])


def test_every_need_that_is_declared_is_of_a_module_that_is_there():
    from infra.build.declared import declared

    modules = {route.__module__.partition(".")[2] for route in load_routes("routes")}
    said = declared()
    assert set(said.needs) <= modules
    assert said.needed_by(sorted(modules))
