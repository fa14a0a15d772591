"""The routes of this deployment. A module is imported only when it is chosen (FUNC)."""

ROUTES = [
    "images:Images",
    "images:ImageUploads",
    "worker:CsvRows",
]
