"""The sample application in moto, with prepared answers of a search server: healthy until a test changes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from faulty_aws import Body, error

from infra.shim.provision import provision
from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.commands.doctor import DoctorContext, Finding, diagnose
from service.context import Context
from service.routing import Names, Route, Router
from service.settings import Settings
from service.sinks.opensearch.index_creation import DOUBLES

SETTINGS = "/_cluster/settings?include_defaults=true&flat_settings=true"
HEALTH = "/_cluster/health"


class AnswersOfSearch:
    """A fake search server with answers to GET by path, and with `indices`. A test may change both.

    Every other path is not found.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "/": {"version": {"number": "3.6.0", "distribution": "opensearch"}},
            SETTINGS: {
                "persistent": {"action.auto_create_index": "false"},
                "defaults": {"action.auto_create_index": "true", "cluster.max_shards_per_node": "1000"},
            },
            HEALTH: {"number_of_data_nodes": 1, "active_shards": 2, "unassigned_shards": 1},
        }
        self.indices: dict[str, Any] = {"images-000001": index_of(images={})}
        self.statuses: dict[str, int] = {}
        self.ahead = 0.0
        self.trouble: Exception | None = None
        self.asked: list[str] = []
        self.transport = self

    def get_connection(self) -> AnswersOfSearch:
        return self

    def perform_request(self, method: str, path: str, ignore: Any) -> tuple[int, dict[str, str], str]:
        self.asked.append(f"{method} {path}")
        if self.trouble:
            raise self.trouble
        date = formatdate(NOW + self.ahead, usegmt=True)
        body = self._get(path) if method == "GET" else {"error": "no body"}
        status = self.statuses.get(f"{method} {path}", 404 if body is None else 200 if method == "GET" else 400)
        return status, {"Date": date}, body if isinstance(body, str) else json.dumps(body)

    def _get(self, path: str) -> Any:
        if path in self.answers:
            return self.answers[path]
        name, _, what = path[1:].partition("/")
        if what == "_alias" and name.endswith("*"):
            begins = (name[:-1],)
            fits = {n: [n, *of["aliases"]] for n, of in self.indices.items()}
            return {
                n: {"aliases": self.indices[n]["aliases"]}
                for n in fits
                if any(a.startswith(begins) for a in fits[n])
            }
        names = name.split(",")
        return {n: self.indices[n] for n in names} if not what and {*names} <= {*self.indices} else None


def index_of(settings: Mapping[str, Any] | None = None, **aliases: Any) -> dict[str, Any]:
    """Return an index in the format of GET, as the service creates it for the sample application."""
    return {
        "aliases": {name.replace("__", "--"): properties for name, properties in aliases.items()},
        "mappings": {"date_detection": False, "dynamic_templates": DOUBLES, **Images.mapping},
        "settings": {"index": {"gc_deletes": "1h", **(settings or {})}},
    }


NOW = 1_800_000_000.0


class Clients:
    """boto3 clients of moto, made once.

    `answers` has statuses and codes by operation, such as s3.HeadObject. With status 0 the connection fails.
    """

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = {}
        self.ahead = 0.0
        # otherwise boto3 adds the account to the stream endpoint, which moto does not support
        config = Config(account_id_endpoint_mode="disabled", retries={"total_max_attempts": 1})
        secrets = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        for service in ("dynamodb", "dynamodb_streams", "s3", "sqs", "opensearchserverless"):
            client = boto3.client(service.replace("_", ""), region_name="us-east-1", config=config, **secrets)
            client.meta.events.register_first("before-send", self._answer)
            client.meta.events.register("after-call", self._date)
            setattr(self, service, client)

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        operation = event_name.partition(".")[2]
        if operation not in self.answers:
            return None
        if not self.answers[operation][0]:
            raise EndpointConnectionError(endpoint_url=request.url)
        form = "s3" if operation.startswith("s3.") else "dynamodb"
        text = b"" if request.method == "HEAD" else error(form, *self.answers[operation])[1]
        headers = {"Content-Length": str(len(text))}
        return AWSResponse(request.url, self.answers[operation][0], headers, Body(text))

    def _date(self, parsed: Any, **_: Any) -> None:
        """Replace the date of the response: moto uses the real clock."""
        headers = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        headers["date"] = formatdate(NOW + self.ahead, usegmt=True)


class Clinic:
    """A deployment that is healthy until a test changes it. Use it within `mock_aws`."""

    def __init__(self, folder: Path, clients: Clients):
        self.clients = clients
        self.clients.answers.clear()
        self.clients.ahead = 0.0
        self.search = AnswersOfSearch()
        self.settings = replace(
            Settings(),
            region="us-east-1",
            search_url="http://search",
            read_queue=("uploads",),
            dead_letters=str(folder / "letters"),
            checkpoints=str(folder / "checkpoints.sqlite"),
        )
        made = {name: client for name, client in vars(clients).items() if name not in ("answers", "ahead")}
        self.context = Context(self.settings, search=self.search, **made)
        self.serve(Images(), ImageUploads())
        provision(App(replace(self.settings, create_indices=False), [Images(), ImageUploads()], self.context))

    def change(self, **settings: Any) -> None:
        """Change settings of the deployment."""
        self.settings = self.context.settings = replace(self.settings, **settings)

    def serve(self, *routes: Route) -> None:
        """Replace the routes of the deployment."""
        self.router = Router(routes, Names(self.settings.names))

    def deny(self, operation: str) -> None:
        """Deny one operation of AWS, such as sqs.DeleteMessage."""
        code = "AccessDenied" if operation.startswith("s3.") else "AccessDeniedException"
        self.clients.answers[operation] = (403, code)

    def queue(self, name: str) -> str:
        return str(self.context.sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def set_queue(self, name: str, **attributes: str) -> None:
        self.context.sqs.set_queue_attributes(QueueUrl=self.queue(name), Attributes=attributes)

    def patient(self) -> DoctorContext:
        return DoctorContext(self.context, self.router, lambda: NOW)

    def findings(self) -> list[Finding]:
        return list(diagnose(self.patient()))

    def assert_found(self, plant: Callable[[Clinic], object], expected: tuple[str, str, str], words: str) -> None:
        """Change the deployment, and assert that the doctor reports this fault alone, with a remedy."""
        plant(self)
        (found,) = self.findings()
        assert (found.topic, found.subject, found.severity) == expected
        assert words in found.problem
        assert found.remedy
