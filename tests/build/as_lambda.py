"""One event handled as in Lambda, with code from two folders: `python -I -S as_lambda.py TASK OPT < event`."""

import json
import sys
import time

task, layer = sys.argv[1:]
sys.path[:0] = [task, f"{layer}/python"]

began = time.perf_counter()
from service.entrypoints.lambda_handler import handler  # noqa: E402  # importable only with the path above

imported = time.perf_counter()
answer = handler(json.load(sys.stdin), None)
served = time.perf_counter()
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
known = (task, layer, sys.base_prefix, __file__)
print(
    json.dumps(
        {
            "answer": answer,
            "import_seconds": imported - began,
            "first_seconds": served - imported,
            "from_elsewhere": [file for file in files if file and not file.startswith(known)],
        }
    )
)
