"""A large CSV object: one row for each line, in memory that does not grow with the object.

STREAMDEX_ROWS_MB sets the size in megabytes, for example 200.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from deployments import aws_client
from sqlalchemy import create_engine

from service.clients.database import address_of
from service.settings import Settings

MEGABYTES = int(os.environ.get("STREAMDEX_ROWS_MB", "10"))
GROWTH = 40.0  # MiB on top of the interpreter and its libraries: batches of rows and the copies of the drivers
LINE = "{0},name {0},{1}\n"


def content(megabytes: int) -> tuple[bytes, int]:
    """Return lines of about a hundred bytes, and their number."""
    lines = megabytes * 10_000
    text = "x" * 80
    return "".join(LINE.format(number, text) for number in range(lines)).encode(), lines


@pytest.mark.parametrize("kind", ["sqlite", "mariadb", "postgresql"])
def test_a_large_object_is_as_many_rows_as_lines_in_constant_memory(request, kind, aws_url, tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/rows.sqlite" if kind == "sqlite" else str(request.getfixturevalue(f"{kind}_url"))
    table = f"large_{kind}"
    engine = create_engine(address_of(Settings(db_url=url)))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {table} (number INTEGER, name VARCHAR(40), text VARCHAR(100))")
    s3 = aws_client(aws_url, "s3")
    s3.create_bucket(Bucket=table.replace("_", "-"))
    body, lines = content(MEGABYTES)
    s3.put_object(Bucket=table.replace("_", "-"), Key="large.csv", Body=body)
    size = len(body) / 1e6
    del body
    for turn in range(3):  # the second and the third run are repeats
        script = Path(__file__).with_name("load_rows.py")
        command = [sys.executable, str(script), aws_url, table.replace("_", "-"), "large.csv", url, table]
        ran = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "."}, check=False
        )
        assert ran.returncode == 0, ran.stderr
        outcome, reason, seconds, cpu, before, peak = json.loads(ran.stdout)
        assert (outcome, reason) == ("APPLIED", "")
        assert peak - before < GROWTH
        if turn == 0:
            with capsys.disabled():
                took = f"{lines} lines in {seconds} s ({cpu} s of CPU)"
                print(f"\n{kind}: {size:.0f} MB, {took}; {before} MiB before, {peak} at most")
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            f"SELECT COUNT(*), COUNT(DISTINCT number), MAX(number) FROM {table}"
        ).one()
    engine.dispose()
    assert tuple(found) == (lines, lines, lines - 1)
