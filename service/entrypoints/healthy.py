"""`python -m service.entrypoints.healthy`: the health check of the container image.

It requests `/healthz` of this container. The exit code is 0 if the service is healthy, else 1.
"""

from __future__ import annotations

import http.client
import sys

from ..settings import Settings
from ..settings.reading import read_configuration

TIMEOUT = 4.0
"""Seconds; shorter than the timeout of the image's health check."""


def main() -> int:
    """Check the health. Only the service's settings are read, so that the frequent check imports no routes."""
    settings = read_configuration(Settings, strict=False).build(Settings)
    everywhere = settings.page_host in ("0.0.0.0", "::")  # noqa: S104  # compared, not bound
    host = "127.0.0.1" if everywhere else settings.page_host
    connection = http.client.HTTPConnection(host, settings.page_port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        print(answer.read().decode(errors="replace").strip())
        return 0 if answer.status == http.client.OK else 1
    except (OSError, http.client.HTTPException) as error:
        print(f"cannot reach {host}:{settings.page_port}: {error}")
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
