"""The public names of `import service`, and the modules that it does not load."""

from __future__ import annotations

import subprocess
import sys

import service

HEAVY = ("boto3", "botocore", "opensearchpy", "configargparse", "yaml", "orjson", "PIL", "sqlalchemy")


def test_every_public_name_is_there():
    assert all(hasattr(service, name) for name in service.__all__)
    assert list(service.__all__) == sorted(service.__all__)


def test_importing_the_service_loads_nothing_heavy():
    listed = f"print([m for m in {HEAVY!r} if m in sys.modules])"
    code = f"import service, sys; {listed}; import service.testing; {listed}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split("\n")[:2] == ["[]", "['orjson']"]  # run() serialises documents


def test_only_rows_load_sqlalchemy_and_a_function_for_images_never_sees_their_route():
    code = (
        "import sys\n"
        "from service.bootstrap.application import App\n"
        "from service.bootstrap.selection import choose\n"
        "for func in ('images', 'worker'):\n"
        "    chosen = choose(arguments=['--func=' + func])\n"
        "    with App(chosen.settings, chosen.routes):\n"
        "        names = ('sqlalchemy', 'pymysql', 'psycopg', 'sample_routes.worker')\n"
        "        print([name for name in names if name in sys.modules])\n"
        "        if func == 'worker':\n"
        "            from service.context import Context\n"
        "            Context(chosen.settings).sql\n"
        "            print('sqlalchemy' in sys.modules)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split("\n")[:3] == ["[]", "['sample_routes.worker']", "True"]
