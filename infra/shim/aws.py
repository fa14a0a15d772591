"""moto's server as a separate process: `python -m infra.shim.aws PORT`.

It prints a line when it listens, and exits when its standard input closes.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

from werkzeug.serving import make_server

from .probes import HOST


def leave_with_parent() -> None:
    """Exit when stdin closes, which happens when the parent exits for any reason."""
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server(HOST, int(sys.argv[1]), app, threaded=True)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
