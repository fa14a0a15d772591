"""Benchmarks: what a record costs here, beside what people use today and beside the least that it could cost.

`make bench` runs them and writes tables, JSON and plots into `benchmarks/results`; docs/performance.md says what
is measured and how. What runs in the environment of the peers (`contestants/`, `runner.py`) needs the standard
library and its peer alone.
"""
