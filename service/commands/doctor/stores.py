"""Check that dead letters and checkpoints can be written, without leaving anything behind."""

from __future__ import annotations

import os
import shlex
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from ...private_files import is_exposed
from ...routing import TableRoute
from .findings import NOTE, WARNING, Finding, Trouble
from .patient import DoctorContext
from .tables import in_words, key_of

PROBE: Final = "streamdex-doctor"

WRONG: Final = "AAAAAAAAAAAAAAAAAAAAAA=="
"""A Content-MD5 that matches no object: S3 rejects an upload that carries it ("PutObject", S3)."""

POSITIONS: Final = {"stream": "S", "shard": "S"}
"""The key of the table for checkpoints and the lease."""


def check_dead_letters(patient: DoctorContext) -> Iterator[Finding]:
    kind, separator, place = patient.settings.dead_letters.partition("://")
    if not separator:
        remedy = "set STREAMDEX_DEAD_LETTERS to a writable folder"
        yield from _local("dead letters", f"folder {kind}", Path(kind), unwritable(Path(kind)), remedy)
        return
    if kind == "sqs":
        if patient.aws.ask("sqs", "get_queue_url", f"queue {place}", QueueName=place) is None:
            remedy = "create it, or correct STREAMDEX_DEAD_LETTERS"
            yield Finding("dead letters", f"queue {place}", "it does not exist", remedy)
        kind, _, place = patient.settings.dead_letters_large.partition("://")
    if kind == "s3":
        yield from _bucket(patient, place)


def _bucket(patient: DoctorContext, place: str) -> Iterator[Finding]:
    """Upload an object with a wrong digest: S3 answers BadDigest if writing is allowed, and stores nothing."""
    bucket, _, prefix = place.partition("/")
    key = f"{prefix.strip('/')}/{PROBE}".lstrip("/")
    subject = f"bucket {bucket}"
    fine = ("BadDigest", "InvalidDigest")
    probe: dict[str, Any] = {"Bucket": bucket, "Key": key, "Body": b"", "ContentMD5": WRONG}
    answer = patient.aws.ask("s3", "put_object", subject, fine=fine, **probe)
    if answer is None:
        remedy = "create it, or correct STREAMDEX_DEAD_LETTERS and STREAMDEX_DEAD_LETTERS_LARGE"
        yield Finding("dead letters", subject, "it does not exist", remedy)
    elif answer:  # not every emulator checks digests
        try:
            patient.aws.ask("s3", "delete_object", subject, Bucket=bucket, Key=key)
        except Trouble:
            problem = f"doctor stored the empty object {key} to test the permission, and cannot delete it"
            yield Finding("dead letters", subject, problem, "delete the object", NOTE)


def check_checkpoints(patient: DoctorContext) -> Iterator[Finding]:
    if not any(isinstance(bound.route, TableRoute) for bound in patient.router.bound):
        return
    where = patient.settings.checkpoints
    kind, separator, table = where.partition("://")
    if not separator:
        remedy = "set STREAMDEX_CHECKPOINTS to a writable file, or to dynamodb://TABLE"
        yield from _local("checkpoints", f"file {where}", Path(where), _unusable(Path(where)), remedy)
    elif kind != "dynamodb" or not table:
        problem = f"{where!r} is neither a file nor dynamodb://TABLE"
        yield Finding("checkpoints", "checkpoints", problem, "correct STREAMDEX_CHECKPOINTS")
    else:
        description = patient.described(table)  # the service creates it if it is missing
        if description is not None and key_of(description) != POSITIONS:
            problem = f"its key is {in_words(key_of(description))}; checkpoints need {in_words(POSITIONS)}"
            yield Finding("checkpoints", f"table {table}", problem, "set STREAMDEX_CHECKPOINTS to another table")


def _local(topic: str, subject: str, path: Path, problem: str, remedy: str) -> Iterator[Finding]:
    """Report the problem of a file or folder, if there is one, and access for other users."""
    if problem:
        yield Finding(topic, subject, problem, remedy)
    if is_exposed(path):
        exposed = "other users of this machine can access it: it was created by an earlier version, or by hand"
        yield Finding(topic, subject, exposed, f"chmod -R go= {shlex.quote(str(path))}", WARNING)


def _unusable(path: Path) -> str:
    """Return why checkpoints cannot be stored in a file; "" if they can, or if the file can be created."""
    problem = unwritable(path.parent)
    if problem or not path.exists():
        return problem
    if not os.access(path, os.W_OK):
        return "it is not writable"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        return str(error)
    return ""


def unwritable(folder: Path) -> str:
    """Return why files cannot be created in a folder, which need not exist; "" if they can.

    Creates a temporary file in the nearest existing parent folder.
    """
    there = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return f"cannot create a file in {there}: {error.strerror or error}"
