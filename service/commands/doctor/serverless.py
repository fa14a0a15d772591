"""Check the type of a serverless collection: some types do not accept document ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..policy import place_of
from .findings import NOTE, Finding, Trouble
from .patient import DoctorContext

SEE: Final = (
    "check that its type is SEARCH (aws opensearchserverless batch-get-collection), and that its data access"
    " policy grants the service aoss:DescribeIndex, aoss:CreateIndex and aoss:WriteDocument for its indices, and"
    " for aliases and pipelines aoss:DescribeCollectionItems, aoss:CreateCollectionItems and"
    " aoss:UpdateCollectionItems"
)


def check(patient: DoctorContext) -> Iterator[Finding]:
    """Check that the collection has the type SEARCH.

    Source: "Collection types", AWS Solutions Library, Migration Assistant for Amazon OpenSearch Service.
    """
    if not patient.serverless or not patient.indices:
        return
    name, _ = place_of(patient.settings.search_url)
    subject = f"collection {name}"
    try:
        request = {"ids": [name]}
        answer = patient.aws.ask("opensearchserverless", "batch_get_collection", subject, extra=True, **request)
    except Trouble as trouble:
        if trouble.finding.severity != NOTE:
            raise
        yield Finding("collection", subject, f"its type is unknown: {trouble.finding.problem}", SEE, NOTE)
        return
    found = answer["collectionDetails"] if answer else []
    if not found:
        yield Finding("collection", subject, "its type is unknown: no collection has this id", SEE, NOTE)
    elif found[0]["type"] != "SEARCH":
        yield Finding(
            "collection",
            subject,
            f"its type is {found[0]['type']}, which accepts no ids: documents cannot be updated or deleted",
            "create a collection of type SEARCH, and set SEARCH_URL to its address",
        )
