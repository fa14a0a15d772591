"""The routes of the benchmarks."""

ROUTES = ["items:Items"]
