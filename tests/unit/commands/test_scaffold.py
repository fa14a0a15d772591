"""`routes new`: a route, its test and its entry in ROUTES, all of them valid."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.commands.routes.registration import with_entry
from service.commands.routes.scaffold import add, draft, key_of, parsed_key
from service.context import Context
from service.errors import DeclarationError, Halt, SettingsError, Unreachable
from service.routing import Names
from service.routing.loading import load_routes
from service.settings import Settings

ROOT = Path(__file__).parents[3]


@pytest.fixture
def package(tmp_path, monkeypatch) -> str:
    """Create a package of routes without routes, and return its name."""
    name = f"new_{tmp_path.name.replace('-', '_')}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text('"""Mine."""\n\nROUTES = []\n')
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_a_new_route_can_be_loaded_and_says_what_was_asked(package, tmp_path):
    new = draft("order-lines", "Order_Lines", {"PK": "S", "SK": "N"})
    written = add(new, package, [])
    assert [path.name for path in written] == ["order_lines.py", "test_order_lines.py", "__init__.py"]
    assert written[1].parent == tmp_path / "tests" / "unit" / package
    (route,) = load_routes(package)
    assert (route.__name__, route.table, route.index) == ("OrderLines", "Order_Lines", "order_lines")
    assert route().key == {"PK": "S", "SK": "N"}


def test_doing_it_again_changes_nothing_and_finishes_what_was_interrupted(package, tmp_path):
    new = draft("books", "books", {"isbn": "S"})
    add(new, package, [])
    assert add(new, package, [kind() for kind in load_routes(package)]) == []
    listing = tmp_path / package / "__init__.py"
    listing.write_text("ROUTES = []\n")
    (tmp_path / "tests" / "unit" / package / "test_books.py").unlink()
    assert [path.name for path in add(new, package, [])] == ["test_books.py", "__init__.py"]


def test_a_file_that_is_there_stays_as_it_is_and_nothing_is_written(package, tmp_path):
    mine = tmp_path / "tests" / "unit" / package / "test_books.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("# mine\n")
    with pytest.raises(SettingsError, match=r"test_books\.py already exists"):
        add(draft("books", "books", {"isbn": "S"}), package, [])
    assert mine.read_text() == "# mine\n"
    assert sorted(path.name for path in (tmp_path / package).glob("*.py")) == ["__init__.py"]


def test_a_route_that_clashes_with_another_is_an_error_and_nothing_is_written(package, tmp_path):
    add(draft("books", "books", {"isbn": "S"}), package, [])
    registered = [kind() for kind in load_routes(package)]
    with pytest.raises(DeclarationError, match="could write the same document"):
        add(draft("novels", "books", {"isbn": "S"}), package, registered)
    assert not (tmp_path / package / "novels.py").exists()


@pytest.mark.parametrize(
    ("name", "module", "kind"),
    [
        ("books", "books", "Books"),
        ("OrderLines", "order_lines", "OrderLines"),
        ("order_lines2", "order_lines2", "OrderLines2"),
        ("HTTPLogs", "http_logs", "HTTPLogs"),
        ("item", "item", "ItemRoute"),
        ("index", "index", "IndexRoute"),
    ],
)
def test_names_become_a_module_s_and_a_class_s(name, module, kind):
    new = draft(name, "t", {})
    assert (new.module, new.name, new.entry) == (module, kind, f"{module}:{kind}")


@pytest.mark.parametrize("name", ["2books", "class", "a b", "bücher", "_", "../x", ""])
def test_a_name_that_no_module_can_have_is_an_error(name):
    with pytest.raises(SettingsError, match="is not a valid name"):
        draft(name, "t", {})


def test_a_route_needs_a_table():
    with pytest.raises(SettingsError, match="--table"):
        draft("books", "", {})


@pytest.mark.parametrize(
    ("table", "index"), [("Books.Prod", "books.prod"), ("orders-*", "orders"), ("_A b", "ab")]
)
def test_the_index_is_called_like_the_table_as_far_as_it_can_be(table, index):
    assert draft("x", table, {}).index == index
    assert draft("x", table, {}, "other").index == "other"


def test_the_key_is_read_from_its_words():
    assert parsed_key(["PK:S", "a:b:N"]) == {"PK": "S", "a:b": "N"}
    for words in (["id"], ["id:X"], [":S"], ["a:S", "b:S", "c:S"], []):
        with pytest.raises(SettingsError, match="--key must be"):
            parsed_key(words)


def test_the_key_is_looked_up_where_the_table_exists(mocked_dynamodb):
    mocked_dynamodb.create_table(
        TableName="orders-lab",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (("n", "N"), ("id", "S"))],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    context, names = Context(dynamodb=mocked_dynamodb), Names({"table/orders": "orders-lab"})
    assert list(key_of(context, names, "orders").items()) == [("id", "S"), ("n", "N")]
    with pytest.raises(SettingsError, match=r"table books does not exist: .*--key=id:S"):
        key_of(context, names, "books")
    with pytest.raises(SettingsError, match=r"is a pattern: .*--key=id:S"):
        key_of(context, names, "orders-*")


def test_a_table_that_cannot_be_looked_up_says_what_to_give_instead():
    settings = Settings(aws_endpoint_url="http://127.0.0.1:1", region="us-east-1")
    with Context(settings) as context, pytest.raises(Unreachable, match="or give it: --key=id:S"):
        key_of(context, Names(), "books")


def test_without_a_region_it_is_said_what_to_give_instead(monkeypatch):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with Context() as context, pytest.raises(Halt, match="or give it: --key=id:S"):
        key_of(context, Names(), "books")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ROUTES = []\n", 'ROUTES = ["b:B"]\n'),
        ('ROUTES = ["a:A"]  # mine\n', 'ROUTES = ["a:A", "b:B"]  # mine\n'),
        ('ROUTES: list[str] = ["a:A",]\n', 'ROUTES: list[str] = ["a:A", "b:B"]\n'),
        ('ROUTES = [\n    "a:A",  # ü\n]\nX = 1\n', 'ROUTES = [\n    "a:A",  # ü\n    "b:B",\n]\nX = 1\n'),
        ('ROUTES = [\n    "a:A"  # no comma\n]\n', 'ROUTES = [\n    "a:A",  # no comma\n    "b:B",\n]\n'),
        ('"""ü"""\nROUTES = ["a:A",\n          "c:C"]\n', '"""ü"""\nROUTES = ["a:A",\n          "c:C", "b:B"]\n'),
        ("ROUTES = [\n    # none yet\n]\n", 'ROUTES = [\n    # none yet\n    "b:B",\n]\n'),
        ('ROUTES = ["a:A", "b:B"]\n', 'ROUTES = ["a:A", "b:B"]\n'),
        (
            f'ROUTES = ["{"a" * 50}:A", "{"c" * 30}:C"]\n',
            f'ROUTES = [\n    "{"a" * 50}:A",\n    "{"c" * 30}:C",\n    "b:B",\n]\n',
        ),
    ],
)
def test_the_line_is_added_and_the_rest_stays(before, after):
    assert with_entry(before, "b:B", "routes/__init__.py") == after
    assert with_entry(after, "b:B", "routes/__init__.py") == after


@pytest.mark.parametrize("text", ["", "ROUTES = tuple()", "ROUTES = A + B", "OTHERS = []"])
def test_a_list_that_is_not_written_out_is_left_to_its_author(text):
    with pytest.raises(
        SettingsError, match=r'routes/__init__\.py has no list literal ROUTES: write ROUTES = \["b:B"\]'
    ):
        with_entry(text, "b:B", "routes/__init__.py")


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Create a repository with the service, the routes and the folders of the tests."""
    root = tmp_path_factory.mktemp("repository")
    for part in ("service", "routes"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for folder in ("tests/unit", "tests/embedded", "tests/real", "infra/shim"):
        (root / folder).mkdir(parents=True)
    (root / "infra" / "shim" / "__init__.py").touch()
    return root


def run(root: Path, *words: str) -> str:
    left_out = ("PYTEST", "COV", "STREAMDEX_ROUTES", "PYTHONPATH")  # the copy must load its own routes
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    answer = subprocess.run(
        [sys.executable, "-m", *words], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.mark.long
def test_what_is_made_passes_its_own_test_and_every_check(repository):
    for words in (
        ["books", "--table=books", "--key=isbn:S"],
        ["order-lines", "--table=Orders.Prod-*", "--key=PK:S,title:N", "--index=lines"],
        ["item", "--table=Item_table", "--key=b:B"],
        ["quoted", "--table=q", '--key=it\'s "x":S'],
    ):
        assert "wrote " in run(repository, "service", "routes", "new", *words)
    run(repository, "pytest", "-q", "tests/unit/routes")
    run(repository, "ruff", "check", ".")
    run(repository, "ruff", "format", "--check", "routes", "tests")
    run(repository, "mypy", "routes")
    assert "books:Books" in run(repository, "service", "routes", "list")
