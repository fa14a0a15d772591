"""`python -m service.entrypoints.healthy`: asks the service of this container whether it is alive.

For the health check of an image: exit code 0 if it is, 1 if not.
"""

from __future__ import annotations

import http.client
import sys

from ..settings import Settings
from ..settings.reading import read_configuration

TIMEOUT = 4.0
"""Seconds: less than whoever asks waits by itself."""


def main() -> int:
    """The routes' own settings are left alone, so that no route is imported every few seconds."""
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
        print(f"no answer from {host}:{settings.page_port}: {error}")
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
