"""CSV objects become rows, end to end: with S3 events, with a message sent by hand, and with `make run`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import s3_record
from deployments import Running, aws_client, eventually
from sqlalchemy import create_engine
from test_make import interrupt, ports, terminal

from infra.shim.provision import provision
from routes.worker import CsvRows
from service.bootstrap.application import App
from service.commands.dead_letters import selection
from service.commands.dead_letters.redrive import redrive
from service.settings import Settings

__all__ = ["ports"]

STATEMENT = "INSERT INTO people (name, age) VALUES (%s, %s)"


class Place:
    """The worker with its own bucket, queue and database."""

    def __init__(self, aws_url: str, folder: Path, route: CsvRows, versions: bool = False):
        name = f"{folder.name[-20:]}-{time.monotonic_ns() % 10**6}".lower().replace("_", "-")
        self.bucket, self.queue, self.letters = f"raw-{name}", f"pending-{name}", folder / "letters"
        self.settings = replace(
            Settings(),
            aws_endpoint_url=aws_url,
            names={"bucket/raw-data": self.bucket},
            read_queue=(self.queue,),
            poll_wait=0,
            poll_interval=0.05,
            dead_letters=str(self.letters),
            db_url=f"sqlite:///{folder}/rows.sqlite",
            retry_time=1.0,
        )
        self.app = App(self.settings, [route])
        self.s3, self.sqs = aws_client(aws_url, "s3"), aws_client(aws_url, "sqs")
        with self.app.context.sql.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE people (name TEXT, age INTEGER CHECK (age >= 0))")
        provision(self.app)
        if versions:
            self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})

    def send(self, message: Any) -> None:
        url = self.sqs.get_queue_url(QueueName=self.queue)["QueueUrl"]
        self.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message))

    def left(self) -> int:
        url = self.sqs.get_queue_url(QueueName=self.queue)["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(map(int, found.values()))

    def rows(self) -> list[tuple[str, int]]:
        with self.app.context.sql.connect() as connection:
            return sorted(map(tuple, connection.exec_driver_sql("SELECT name, age FROM people")))

    def rejected(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.letters.glob("*.json"))]


@pytest.fixture
def place(request, aws_url: str, tmp_path: Path):
    options = getattr(request, "param", {})
    route = CsvRows(insert_statement=STATEMENT, bad_rows=options.get("bad_rows", "reject"))
    made = Place(aws_url, tmp_path, route, versions=options.get("versions", False))
    workers = Running(made.app)
    yield made
    workers.stop()
    made.app.close()


def test_an_upload_becomes_rows_and_a_deletion_leaves_them(place: Place):
    place.s3.put_object(Bucket=place.bucket, Key="a b/ü.csv", Body="Ada,30\nZoë,20".encode())
    eventually(place.rows, [("Ada", 30), ("Zoë", 20)])
    place.s3.delete_object(Bucket=place.bucket, Key="a b/ü.csv")
    eventually(place.left, 0)
    assert place.rows() == [("Ada", 30), ("Zoë", 20)]
    assert place.rejected() == []


def test_a_message_of_a_person_and_the_event_of_the_bucket_are_of_one_content(place: Place):
    place.s3.put_object(Bucket=place.bucket, Key="a.csv", Body=b"Ada,30\n")
    for _ in range(3):
        place.send({"bucket": place.bucket, "key": "a.csv"})
    eventually(place.left, 0)
    assert place.rows() == [("Ada", 30)]


@pytest.mark.parametrize("place", [{"versions": True}], indirect=True)
def test_each_version_of_an_object_is_loaded_once_also_where_its_event_is_late(place: Place):
    place.s3.put_bucket_notification_configuration(Bucket=place.bucket, NotificationConfiguration={})
    versions = [
        place.s3.put_object(Bucket=place.bucket, Key="a.csv", Body=f"Ada,{age}\n".encode())["VersionId"]
        for age in (30, 31)
    ]
    for version in [*reversed(versions), *versions]:
        event = s3_record("a.csv", bucket=place.bucket)
        event["s3"]["object"]["versionId"] = version
        place.send(event)
    place.send({"bucket": place.bucket, "key": "a.csv"})  # the current version
    eventually(place.left, 0)
    assert place.rows() == [("Ada", 30), ("Ada", 31)]


def test_what_cannot_be_loaded_is_a_dead_letter_that_names_line_and_reason(place: Place):
    place.s3.put_object(Bucket=place.bucket, Key="bad.csv", Body=b"Ada,30\nBob\n")
    place.send({"bucket": place.bucket, "key": "absent.csv"})
    eventually(lambda: len(place.rejected()), 1)
    (letter,) = place.rejected()
    assert "row 2: 1 columns, but the statement has 2" in letter["reason"]
    assert letter["route"] == "worker:CsvRows"
    eventually(place.left, 0)
    assert place.rows() == []


@pytest.mark.parametrize("place", [{"bad_rows": "keep"}], indirect=True)
def test_a_line_that_was_kept_aside_is_tried_again_by_a_redrive_and_no_other(place: Place):
    place.s3.put_object(Bucket=place.bucket, Key="a.csv", Body=b"Ada,30\nBob,-1\nEve,20\n")
    eventually(lambda: len(place.rejected()), 1)
    assert "2 rows added, 1 rejected: row 2: " in place.rejected()[0]["reason"]
    assert redrive(place.app.letters, selection.Filter(), place.app.dispatcher_of).ends["rejected"] == 1
    with place.app.context.sql.begin() as connection:  # the operator drops the constraint of the table
        connection.exec_driver_sql("CREATE TABLE wider AS SELECT * FROM people")
        connection.exec_driver_sql("DROP TABLE people")
        connection.exec_driver_sql("ALTER TABLE wider RENAME TO people")
    assert redrive(place.app.letters, selection.Filter(), place.app.dispatcher_of).ends["applied"] == 1
    assert place.rows() == [("Ada", 30), ("Bob", -1), ("Eve", 20)]
    assert place.rejected() == []


def run_args(aws: str, url: str, statement: str = "") -> str:
    """Return the options of the article's command, with a statement."""
    return f"--read_queue=pending-worker --sqs_endpoint={aws} --s3_endpoint={aws} {url} {statement}"


@pytest.mark.long
def test_the_commands_of_the_first_screen_show_rows(ports):
    with terminal("make run FUNC=worker") as process:
        screen = process.before
        assert "worker:CsvRows" in screen
        assert "not needed" in screen  # the search server
        upload, look = re.findall(r"^  (\S.*?python -c .*?)\r?$", screen, re.MULTILINE)
        subprocess.run(upload, shell=True, check=True)
        found = subprocess.run(look, shell=True, check=True, capture_output=True, text=True).stdout
        assert "('Zoë', 'walking', 20)" in found
        interrupt(process)


def test_the_worker_runs_against_a_shim_as_in_the_article(ports, tmp_path):
    file = tmp_path / "rows.sqlite"
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE people (name TEXT, age INTEGER)")
    statement = f'--insert_statement="{STATEMENT}"'
    aws = f"http://127.0.0.1:{ports['AWS_PORT']}"
    with terminal("make shim") as shim:
        command = f"make run FUNC=worker RUN_ARGS='{run_args(aws, f'--db_url=sqlite:///{file}', statement)}'"
        with terminal(command) as process:
            s3, sqs = aws_client(aws, "s3"), aws_client(aws, "sqs")
            s3.put_object(Bucket="raw-data", Key="large.csv", Body=b"Ada,30\n")
            url = sqs.get_queue_url(QueueName="pending-worker")["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody='{"bucket": "raw-data", "key": "large.csv"}')
            process.expect(r"rows added .*rows=1")
            process.expect(r"batch dispatched .*applied=1")
            assert "hunter2" not in process.before
            interrupt(process)
        interrupt(shim)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM people").all() == [("Ada", 30)]
    engine.dispose()


@pytest.mark.long
def test_make_run_names_a_database_that_does_not_answer_and_goes_on(ports):
    options = "--db_host=127.0.0.1 --db_port=1 --db_name=activity --db_user=root --db_pass=hunter2 --retry-time=0"
    with terminal(f"make run FUNC=worker RUN_ARGS='{options}'") as process:
        assert "mysql+pymysql://root:***@127.0.0.1:1/activity" in process.before
        aws = f"http://127.0.0.1:{ports['AWS_PORT']}"
        aws_client(aws, "s3").put_object(Bucket="raw-data", Key="a.csv", Body=b"x\n")
        process.expect("Can't connect|OperationalError")
        assert "hunter2" not in interrupt(process)
    assert os.environ["AWS_PORT"] == ports["AWS_PORT"]
