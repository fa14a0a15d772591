"""Pipelines for the embedded search server: `python -m infra.shim.pipelines PORT URL`.

osmem has no pipelines: it refuses a document that names one, as OpenSearch does if the pipeline is missing. This
server stands in front of it. It keeps ingest and search pipelines, runs the documents of bulk requests through
their ingest pipelines, and passes everything else on. Search pipelines are not run. Pipelines that index settings
name are not run either.

It prints a line when it listens, and exits when its standard input closes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson
import urllib3
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from .aws import leave_with_parent
from .probes import HOST
from .processors import PARSE, Refused, Step, run, steps_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

SEARCH_PARTS: Final = ("request_processors", "response_processors", "phase_results_processors")


class Pipelines:
    """The WSGI application. `url` is the address of the search server behind it."""

    def __init__(self, url: str):
        self._url = url
        self._server = urllib3.PoolManager(maxsize=20)
        self._bodies: dict[tuple[str, str], Any] = {}
        self._steps: dict[str, list[Step]] = {}

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return self._handle(Request(environ))(environ, start_response)

    def _handle(self, request: Request) -> Response:
        kind, _, rest = request.path.strip("/").partition("/")
        if kind in ("_ingest", "_search") and f"{rest}/".startswith("pipeline/"):
            return self._manage(kind, rest.removeprefix("pipeline").strip("/"), request)
        if f"{kind}/{rest}".rstrip("/").endswith("_bulk"):
            return self._bulk(request)
        return self._pass_on(request, request.get_data())

    def _manage(self, kind: str, name: str, request: Request) -> Response:
        """Handle a request to the pipelines of one kind."""
        if request.method == "GET":
            found = {n: body for (of, n), body in self._bodies.items() if of == kind and name in ("", "*", n)}
            return _answer(found, HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
        if request.method == "PUT":
            try:
                return self._put(kind, name, orjson.loads(request.get_data()))
            except Refused as refused:
                return _refusal(HTTPStatus.BAD_REQUEST, *refused.args)
        if request.method == "DELETE":
            if self._bodies.pop((kind, name), None) is None:
                words = f"pipeline [{name}] is missing"
                return _refusal(HTTPStatus.NOT_FOUND, "resource_not_found_exception", words)
            return _answer({"acknowledged": True})
        return self._pass_on(request, request.get_data())

    def _put(self, kind: str, name: str, body: Any) -> Response:
        if kind == "_ingest":
            self._steps[name] = steps_of(body)
        elif not any(part in body for part in SEARCH_PARTS):
            raise Refused(PARSE, f"a search pipeline has one of {', '.join(SEARCH_PARTS)}")
        self._bodies[kind, name] = body
        return _answer({"acknowledged": True})

    def _bulk(self, request: Request) -> Response:
        """Run documents through their pipelines. Documents that are refused are not passed on."""
        lines = iter(request.get_data().splitlines())
        passed: list[bytes] = []
        refused: dict[int, dict[str, Any]] = {}
        for position, line in enumerate(line for line in lines if line):
            ((action, meta),) = orjson.loads(line).items()
            if action == "delete":
                passed.append(line)
                continue
            document, pipeline = next(lines), meta.get("pipeline")
            if ("_ingest", pipeline) not in self._bodies:
                passed += [line, document]
                continue
            rest = {name: value for name, value in meta.items() if name != "pipeline"}
            try:
                made = run(self._steps[pipeline], orjson.loads(document))
            except Refused as error:
                fault = dict(zip(("type", "reason"), error.args, strict=True))
                place = {name: meta.get(name) for name in ("_index", "_id")}
                refused[position] = {action: {**place, "status": 400, "error": fault}}
            else:
                passed += [orjson.dumps({action: rest}), orjson.dumps(made)]
        if not refused:
            return self._pass_on(request, b"\n".join([*passed, b""]))
        answer = (
            self._pass_on(request, b"\n".join([*passed, b""])) if passed else _answer({"took": 0, "items": []})
        )
        if answer.status_code != HTTPStatus.OK:
            return answer
        found = orjson.loads(answer.get_data())
        for position, entry in refused.items():  # in ascending order
            found["items"].insert(position, entry)
        return _answer({**found, "errors": True})

    def _pass_on(self, request: Request, body: bytes) -> Response:
        headers = {name: value for name, value in request.headers if name.lower() in ("content-type", "accept")}
        url = self._url + request.environ["REQUEST_URI"]
        answer = self._server.request(request.method, url, body=body, headers=headers, retries=False)
        kept = {name: value for name, value in answer.headers.items() if name.lower() == "content-type"}
        return Response(answer.data, answer.status, kept)


def _answer(body: Mapping[str, Any], status: int = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(body), status, content_type="application/json; charset=UTF-8")


def _refusal(status: int, kind: str, reason: str) -> Response:
    cause = {"type": kind, "reason": reason}
    return _answer({"error": {"root_cause": [cause], **cause}, "status": status}, status)


class _Silent(WSGIRequestHandler):
    """A handler that logs no requests and keeps connections open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the head and the body are sent apart, and would wait 40 ms for each other

    def log(self, type: str, message: str, *arguments: Any) -> None:
        pass


def main() -> None:
    threading.Thread(target=leave_with_parent, daemon=True).start()
    port, url = sys.argv[1:]
    server = make_server(HOST, int(port), Pipelines(url), threaded=True, request_handler=_Silent)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
