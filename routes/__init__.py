"""The routes of this deployment. A module is imported only if FUNC selects it."""

ROUTES = [
    "images:Images",
    "images:ImageUploads",
    "worker:CsvRows",
]
