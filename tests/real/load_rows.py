"""A script that loads one CSV object into a database, and prints the outcome, the time and the memory.

python load_rows.py S3_ENDPOINT BUCKET KEY DB_URL TABLE
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from routes.worker import CsvRows
from service.bootstrap.application import App
from service.pipeline import Delivery
from service.settings import Settings
from service.sources.envelopes import unwrap


def peak() -> float:
    """Return the peak memory of this process in MiB. `getrusage` also counts the process that started it."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def main(endpoint: str, bucket: str, key: str, url: str, table: str) -> None:
    settings = replace(
        Settings(), aws_endpoint_url=endpoint, db_url=url, names={"bucket/raw-data": bucket}, log_level="WARNING"
    )
    route = CsvRows(insert_statement=f"INSERT INTO {table} (number, name, text) VALUES (%s, %s, %s)")
    with App(settings, [route]) as app, app.context.sql.connect():
        before, began, worked = peak(), time.monotonic(), time.process_time()
        report = app.dispatcher.run(Delivery(list(unwrap({"bucket": bucket, "key": key})), "queue pending-worker"))
        seconds, cpu = time.monotonic() - began, time.process_time() - worked
    (result,) = report.results
    print(json.dumps([result.outcome.name, result.reason, *(round(n, 1) for n in (seconds, cpu, before, peak()))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
