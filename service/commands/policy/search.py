"""The permissions for a search server that AWS runs.

Access to a domain is granted by HTTP method and path ("Identity and Access Management in Amazon OpenSearch
Service"). Within a serverless collection, its data access policy decides. Indices are named NAME-000001 and are
behind aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from ..indices.checking import SCRATCH
from ..indices.planning import template_name
from .grants import Grant, Work

_DOMAIN: Final = re.compile(
    r"(?:search|vpc)-(?P<name>.+)-[a-z0-9]+\.(?:(?P<region>[a-z0-9-]+)\.es\.amazonaws\.com(?:\.cn)?"
    r"|aos\.(?P<dual>[a-z0-9-]+)\.on\.aws)"
)
_COLLECTION: Final = re.compile(r"(?P<name>[a-z0-9]+)\.(?P<region>[a-z0-9-]+)\.aoss\.amazonaws\.com(?:\.cn)?")

NUMBER: Final = "-??????"
"""The pattern for the end of an index name after the alias name: a hyphen and six digits."""


def search(work: Work) -> Iterator[Grant]:
    """Grant the requests to the search server, if it uses IAM (sigv4)."""
    indices = sorted({bound.index for bound in work.router.bound if bound.index})
    if work.settings.search_auth != "sigv4" or not indices:
        return
    name, region = place_of(work.settings.search_url)
    if work.settings.search_service == "aoss":
        collection = work.owner.arn("aoss", f"collection/{name}", region)
        yield Grant("UseCollection", name, "aoss", ["APIAccessAll"], [collection])
        return
    domain = work.owner.arn("es", f"domain/{name}", region)
    for purpose, method, paths in _requests(work, indices):
        yield Grant(purpose, name, "es", [f"ESHttp{method}"], [f"{domain}/{path}" for path in paths])


def _requests(work: Work, indices: Sequence[str]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield purpose, method and paths of the requests."""
    made = [f"{index}{NUMBER}" for index in indices]
    # * also matches further names of the same request.
    yield "ReadAliasesOf", "Get", [f"{index.removesuffix('*')}*/_alias" for index in indices]
    # A writer removes the alias of a copy that it cannot write to.
    yield "WriteDocumentsOf", "Post", ["_bulk", "_aliases"]
    if work.settings.create_indices or work.operator:
        yield "CreateIndicesOf", "Put", made
        pipelines = sorted({one.path[1:] for of in work.router.indices.values() for one in of.pipelines})
        if pipelines:
            yield "ReadPipelinesOf", "Get", pipelines
            yield "CreatePipelinesOf", "Put", pipelines
    if work.page:
        together = [",".join(indices)] if len(indices) > 1 else []
        yield "SearchDocumentsOf", "Post", below([*indices, *together], "/_search")
        yield "ReadDocumentsOf", "Get", below(indices, "/_doc/*")
    split = sorted({bound.index for bound in work.router.bound if bound.splits})
    if split and not work.scans:
        # A record without an old image finds the sub-documents of its item by a search.
        yield (
            "SearchSubDocumentsOf",
            "Post",
            ["_search/scroll", *below(split, "/_refresh"), *below(split, "/_search")],
        )
        yield "EndSearchesOf", "Delete", ["_search/scroll"]
    if work.scans:
        verified = [*indices, *(made if work.operator else ())]  # a rebuild verifies before the alias moves
        read = [*below(verified, "/_refresh"), *below(verified, "/_search")]
        yield "VerifyDocumentsOf", "Post", ["_mget", "_search/scroll", *read]
        yield "DeleteOrphansOf", "Delete", ["_search/scroll", *below(verified, "/_doc/*")]
    if work.operator:
        yield from _operated(work, made)


def _operated(work: Work, made: Sequence[str]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield the requests of rebuilds and of the command `indices`."""
    declared = work.router.indices.values()
    aliases = sorted({f"_alias/{alias}" for one in declared for alias in one.aliases})
    templates = [f"_index_template/{template_name(one)}" for one in declared if work.settings.index_templates]
    scratch = f"{SCRATCH}*"
    settings = below(made, "/_settings")
    yield "ReadIndicesOf", "Get", [*made, *settings, *aliases, *templates, f"{scratch}/_alias"]
    yield "ChangeIndicesOf", "Put", [*below(made, "/_mapping"), *settings, *templates, scratch]
    yield "CountDocumentsOf", "Post", below(made, "/_count")
    yield "DropIndicesOf", "Delete", [scratch]  # rebuilds delete indices with POST /_aliases


def below(indices: Sequence[str], what: str) -> list[str]:
    return [f"{index}{what}" for index in indices]


def place_of(url: str) -> tuple[str, str]:
    """Return the name and region of the domain or collection at an AWS address; `*` and "" for other addresses."""
    host = urlsplit(url).hostname or ""
    found = _DOMAIN.fullmatch(host) or _COLLECTION.fullmatch(host)
    if found is None:
        return "*", ""
    parts: Mapping[str, str | None] = found.groupdict()
    return str(parts["name"]), parts["region"] or parts.get("dual") or ""
