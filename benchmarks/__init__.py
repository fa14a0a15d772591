"""Benchmarks: the cost of a record, compared with other tools (the peers) and with its minimum (the limit).

`make bench` runs them and writes tables, JSON and plots into `benchmarks/results`. docs/performance.md describes
the measures and the method. Code that runs in the environment of the peers (`contestants/`, `runner.py`) imports
only the standard library and its peer.
"""
