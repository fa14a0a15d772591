"""Loading of the routes in ROUTES: only the modules of selected routes are imported."""

from __future__ import annotations

import sys
from itertools import count

import pytest

from service.errors import DeclarationError, SettingsError, StreamdexError
from service.routing.loading import load_routes

ROUTE = """
from service import TableRoute

class {name}(TableRoute):
    table = "{name}"
"""

numbers = count()


@pytest.fixture
def make_package(tmp_path, monkeypatch):
    """Return `make_package(routes, images=source, …)`, which writes a package and returns its unique name."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(listed, init="", **modules):
        name = f"routes_{next(numbers)}_of_a_test"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text(init if listed is None else f"{init}\nROUTES = {listed!r}\n")
        for module, source in modules.items():
            (folder / f"{module}.py").write_text(source)
        return name

    yield make
    for module in [module for module in sys.modules if module.startswith("routes_") and "_of_a_test" in module]:
        del sys.modules[module]


@pytest.fixture
def two_modules(make_package):
    return make_package(
        ["images:Images", "worker:Rows", "images:Thumbnails"],
        images=ROUTE.format(name="Images") + ROUTE.format(name="Thumbnails"),
        worker=ROUTE.format(name="Rows"),
    )


def names(classes):
    return [found.__name__ for found in classes]


def imported(package):
    return {name.partition(".")[2] for name in sys.modules if name.startswith(f"{package}.")}


def error_of(package, func=(), kind=StreamdexError):
    with pytest.raises(kind) as caught:
        load_routes(package, func)
    return str(caught.value)


def test_without_a_choice_all_routes_are_loaded_in_the_order_listed(two_modules):
    assert names(load_routes(two_modules)) == ["Images", "Rows", "Thumbnails"]
    assert imported(two_modules) == {"images", "worker"}


def test_func_chooses_modules_and_only_these_are_imported(two_modules):
    assert names(load_routes(two_modules, ["images"])) == ["Images", "Thumbnails"]
    assert imported(two_modules) == {"images"}
    assert names(load_routes(two_modules, ["worker"])) == ["Rows"]


def test_a_module_that_was_not_chosen_may_be_broken_or_absent(make_package):
    package = make_package(
        ["images:Images", "broken:Broken", "absent:Absent"],
        images=ROUTE.format(name="Images"),
        broken="raise RuntimeError('imported')",
    )
    assert names(load_routes(package, ["images"])) == ["Images"]


def test_several_modules_may_be_chosen_and_the_order_of_routes_stays(two_modules):
    assert names(load_routes(two_modules, ["worker", "images", "worker"])) == ["Images", "Rows", "Thumbnails"]


def test_a_module_inside_of_a_folder_is_written_with_dots(make_package, tmp_path):
    package = make_package(["media.images:Images"])
    folder = tmp_path / package / "media"
    folder.mkdir()
    (folder / "images.py").write_text(ROUTE.format(name="Images"))
    assert names(load_routes(package, ["media.images"])) == ["Images"]


def test_an_unknown_choice_is_an_error_that_lists_what_there_is_and_imports_nothing(two_modules):
    message = error_of(two_modules, ["images", "pictures", "rows"], SettingsError)
    assert "FUNC: no routes in pictures, rows. Modules with routes: images, worker" in message
    assert imported(two_modules) == set()


def test_a_package_that_is_not_there_is_an_error_that_names_it_and_its_setting():
    message = error_of("no_such_package", kind=SettingsError)
    assert "'no_such_package'" in message
    assert "STREAMDEX_ROUTES" in message


@pytest.mark.parametrize("name", ["", ".", ".routes", "a..b"])
def test_a_package_whose_name_is_none_is_an_error_too(name):
    assert "STREAMDEX_ROUTES" in error_of(name, kind=SettingsError)


def test_a_package_that_lacks_something_it_needs_is_not_said_to_be_absent(make_package):
    package = make_package(["images:Images"], init="import something_else")
    with pytest.raises(ModuleNotFoundError, match="something_else"):
        load_routes(package)


def test_a_package_that_lacks_something_with_the_beginning_of_its_name_is_not_said_to_be_absent(make_package):
    package = make_package(["images:Images"], init="import routes_")
    with pytest.raises(ModuleNotFoundError, match="routes_"):
        load_routes(package)


def test_a_package_without_routes_is_an_error_that_says_what_to_write(make_package):
    package = make_package(None)
    assert f"{package}/__init__.py has no ROUTES. Add ROUTES" in error_of(package, kind=DeclarationError)


@pytest.mark.parametrize("entry", ["images", "images:", ":Images", "", 5])
def test_an_entry_of_another_form_is_an_error_that_shows_it(make_package, entry):
    package = make_package([entry])
    assert f"{package}.ROUTES: {entry!r} must have the form 'module:Class'" in error_of(
        package, kind=DeclarationError
    )


def test_routes_that_are_no_list_are_an_error(make_package):
    assert "module:Class" in error_of(make_package("images:Images"), kind=DeclarationError)


@pytest.mark.parametrize(
    ("entry", "source", "reason"),
    [
        ("absent:Images", "", "the module does not exist"),
        ("images:Images", "import no_such_library", "the module no_such_library, which it imports, is missing"),
        ("images:Images", "", "the module has no Images. Its classes: none"),
        ("images:Images", "Images = 5", "is not a route class"),
        ("images:Images", "class Images: pass", "Derive it from TableRoute or BucketRoute"),
        ("images:Images", "def Images(): pass", "is not a route class"),
    ],
)
def test_an_entry_that_leads_to_no_route_is_an_error_that_shows_it_and_says_why(
    make_package, entry, source, reason
):
    package = make_package([entry], images=source)
    message = error_of(package, kind=DeclarationError)
    assert f"{package}.ROUTES: '{entry}'" in message
    assert reason in message


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("from service import Nothing", "cannot import name 'Nothing'"),
        ("class Images(:", "SyntaxError"),
    ],
)
def test_whatever_a_module_raises_while_it_is_imported_is_an_error_that_shows_both(make_package, source, error):
    package = make_package(["images:Images"], images=source)
    message = error_of(package, kind=DeclarationError)
    assert f"{package}.ROUTES: 'images:Images' cannot be imported" in message
    assert error in message
