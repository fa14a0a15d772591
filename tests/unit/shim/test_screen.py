"""The first screen of `make run`."""

from __future__ import annotations

from infra.shim.screen import first_screen
from infra.shim.world import World
from service.bootstrap.application import App
from service.routing.loading import load_routes
from service.settings import Settings


def shown(package: str, *func: str) -> str:
    settings = Settings(aws_endpoint_url="http://127.0.0.1:4566", search_url="http://127.0.0.1:9200")
    with App(settings, [kind() for kind in load_routes(package, func)]) as app:
        return first_screen(app, World(settings, "moto", "osmem", emulated=True), [])


def test_a_table_with_one_kind_of_items_has_a_command_to_try():
    text = shown("routes", "images")
    assert "Table('images').put_item(Item={'id': 'sunset', 'title': 'Sunset over Lisbon'})" in text
    assert "\n\nTry it in a second terminal:\n\n  " in text


def test_no_item_of_a_table_with_several_kinds_of_items_is_guessed():
    text = shown("examples.shop")
    assert "Try it" not in text
    assert text.endswith("/\n\nCtrl-C stops everything.\n")


def test_a_route_that_only_names_documents_says_which():
    assert "routes:CustomerOrders    table shop -> documents of Orders\n" in shown("examples.shop")
