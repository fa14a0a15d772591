"""The sample application on LocalStack and on MiniStack. Only the endpoint changes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import test_sample_application as embedded
from deployments import Deployment, aws_client, documents_of, drop, eventually
from localstack import VERSION, localstack
from ministack import ministack

from infra.shim.embedded_servers import embedded_search
from infra.shim.probes import emulator_at, free_port

PICTURE = Path("tests/data/lisbon.jpg")

test_an_item = embedded.test_an_item_with_every_type_is_found_updated_and_removed
test_an_image = embedded.test_an_image_is_found_by_its_metadata_until_it_is_deleted
test_keys_of_every_kind = embedded.test_keys_of_every_kind_work_from_the_bucket_to_the_document
test_a_title = embedded.test_a_title_that_somebody_gave_survives_another_upload
test_gone = embedded.test_an_upload_that_is_gone_when_it_is_read_is_skipped
test_a_burst = embedded.test_a_burst_of_changes_ends_with_the_index_equal_to_the_table
test_a_restart = embedded.test_a_restart_reads_on_where_it_stopped


@pytest.fixture(scope="session")
def localstack_url() -> Iterator[str]:
    with localstack() as url:
        yield url


@pytest.fixture(scope="session")
def ministack_url() -> Iterator[str]:
    with ministack() as url:
        yield url


@pytest.fixture(scope="session")
def search_url() -> Iterator[str]:
    with embedded_search(free_port()) as url:
        yield url


@pytest.fixture
def deployment(localstack_url: str, search_url: str, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(localstack_url, search_url, tmp_path)
    yield made
    made.app.close()


def test_it_is_known_by_its_name(localstack_url: str):
    assert emulator_at(localstack_url) == f"LocalStack {VERSION}"


def test_it_names_queues_under_another_host_than_the_one_it_is_asked_at(localstack_url: str):
    queue = aws_client(localstack_url, "sqs").create_queue(QueueName="elsewhere")["QueueUrl"]
    assert "localhost.localstack.cloud" in queue


def test_an_object_that_is_written_again_and_deleted_is_followed_though_its_sequencer_never_grows(
    running: Deployment,
):
    """LocalStack 4.14 gives each S3 event the same sequencer."""
    for width in (10, 20, 30):
        running.upload("again.png", embedded.picture(width, 5))
        eventually(lambda: [d["metadata"]["width"] for d in running.documents().values()], [width])
    running.s3.delete_object(Bucket=running.bucket, Key="again.png")
    eventually(running.documents, {})
    running.upload("again.png", embedded.picture(40, 5))
    eventually(lambda: [d["metadata"]["width"] for d in running.documents().values()], [40])


@pytest.mark.parametrize(
    ("place", "name"), [("localstack_url", f"LocalStack {VERSION}"), ("ministack_url", "MiniStack")]
)
def test_make_run_works_with_nothing_but_the_endpoint_changed(
    place: str,
    name: str,
    search_url: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    url = request.getfixturevalue(place)
    drop(search_url, "images")
    for variable, value in {
        "STREAMDEX_CHECKPOINTS": str(tmp_path / "checkpoints.sqlite"),
        "STREAMDEX_DEAD_LETTERS": str(tmp_path / "letters"),
        "STREAMDEX_PAGE_PORT": "0",
        "AWS_ENDPOINT_URL": url,
        "SEARCH_URL": search_url,
    }.items():
        monkeypatch.setenv(variable, value)
    command = [sys.executable, "-m", "infra.shim", "run"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        screen = []
        for line in process.stdout:
            screen.append(line)
            if "Ctrl-C" in line:
                break
        assert name in "".join(screen)
        aws_client(url, "dynamodb", "resource").Table("images").put_item(Item={"id": "a", "title": "T"})
        aws_client(url, "s3").upload_file(str(PICTURE), "images-in", "lisbon.jpg")
        eventually(lambda: sorted(documents_of(search_url, "images")), ["a", "lisbon.jpg"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
