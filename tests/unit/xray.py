"""A fake X-Ray daemon that checks what the SDK sends against the rules that AWS publishes.

Rules: "AWS X-Ray segment documents" (Developer Guide) with its JSON schema 1.0.0; "Sending segment documents to
the X-Ray daemon".
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any

LARGEST = 64 * 1024
MARK = b"no more"

NAME = re.compile(r"[\w .:/%&#=+\-@]{1,200}")
ID = re.compile(r"[0-9a-f]{16}")
TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
ANNOTATION = re.compile(r"[A-Za-z0-9_]{1,500}")

COMMON = frozenset(
    {"name", "id", "trace_id", "parent_id", "start_time", "end_time", "in_progress", "subsegments", "http", "aws"}
    | {"error", "throttle", "fault", "cause", "annotations", "metadata"}
)
OF_SEGMENTS = COMMON | {"service", "user", "origin"}
OF_SUBSEGMENTS = COMMON | {"type", "namespace", "precursor_ids", "sql"}


class Daemon:
    """A UDP port for segment documents, and a TCP port for sampling rules, which never responds."""

    def __init__(self) -> None:
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._tcp.setblocking(False)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._udp.bind(self._tcp.getsockname())
        self._udp.settimeout(10)
        self.address = f"127.0.0.1:{self._udp.getsockname()[1]}"

    def documents(self) -> list[dict[str, Any]]:
        """Return the documents sent since the last call. Raises AssertionError for one that breaks a rule."""
        found = [checked(datagram) for datagram in self.datagrams()]
        ids = [entity["id"] for document in found for entity in entities(document)]
        assert len(set(ids)) == len(ids), "an id is there twice"
        return found

    def datagrams(self) -> list[bytes]:
        self._udp.sendto(MARK, self._udp.getsockname())
        return list(iter(lambda: self._udp.recv(1 << 16), MARK))

    def asked_for_rules(self) -> bool:
        try:
            self._tcp.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._udp.close()
        self._tcp.close()


def entities(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a document and all its subsegments."""
    yield document
    for part in document.get("subsegments", ()):
        yield from entities(part)


def checked(datagram: bytes) -> dict[str, Any]:
    """Return the segment document of a datagram, after checking it."""
    header, separator, text = datagram.partition(b"\n")
    assert separator, "no line for the header"
    assert json.loads(header) == {"format": "json", "version": 1}
    assert len(text) <= LARGEST, f"{len(text)} bytes"
    document: dict[str, Any] = json.loads(text)
    assert TRACE_ID.fullmatch(document["trace_id"])
    if "type" in document:
        assert document["type"] == "subsegment"
        check_subsegment(document)
        assert ID.fullmatch(document["parent_id"])
    else:
        check(document, OF_SEGMENTS)
        assert ID.fullmatch(document.get("parent_id", "0" * 16))
    return document


def check_subsegment(entity: Mapping[str, Any]) -> None:
    check(entity, OF_SUBSEGMENTS)
    assert entity.get("type", "subsegment") == "subsegment"
    assert entity.get("namespace") in (None, "aws", "remote", "local")  # AWS's own SDK writes "local"


def check(entity: Mapping[str, Any], known: frozenset[str]) -> None:
    assert set(entity) <= known, set(entity) - known
    assert NAME.fullmatch(entity["name"]), entity["name"]
    assert ID.fullmatch(entity["id"])
    check_times(entity)
    for flag in ("error", "throttle", "fault"):
        assert isinstance(entity.get(flag, False), bool)
    for key, value in entity.get("annotations", {}).items():
        assert ANNOTATION.fullmatch(key), key
        assert isinstance(value, str | int | float)
        assert len(str(value)) <= 1000
    for key, value in entity.get("metadata", {}).items():
        assert not key.startswith("AWS.")
        assert isinstance(value, dict)
    check_cause(entity.get("cause", {}))
    status = entity.get("http", {}).get("response", {}).get("status", 200)
    assert isinstance(status, int)
    for part in entity.get("subsegments", ()):
        check_subsegment(part)
        assert part.get("parent_id", entity["id"]) == entity["id"]
        assert part.get("trace_id", entity["trace_id"]) == entity["trace_id"]
        assert entity["start_time"] <= part["start_time"]


def check_times(entity: Mapping[str, Any]) -> None:
    """Check that the entity has either an end or is in progress."""
    assert isinstance(entity["start_time"], float)
    if entity.get("in_progress"):
        assert "end_time" not in entity
    else:
        assert isinstance(entity["end_time"], float)
        assert entity["start_time"] <= entity["end_time"]


def check_cause(cause: Any) -> None:
    if isinstance(cause, str):
        assert ID.fullmatch(cause)
        return
    for exception in cause.get("exceptions", ()):
        assert ID.fullmatch(exception["id"])
        for frame in exception.get("stack", ()):
            assert isinstance(frame.get("line", 0), int)
