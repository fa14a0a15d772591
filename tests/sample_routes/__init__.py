"""The routes that the framework's tests run on: the sample application alone, whatever else `routes` lists."""

import routes

__path__ = routes.__path__

ROUTES = [
    "images:Images",
    "images:ImageUploads",
    "worker:CsvRows",
]
