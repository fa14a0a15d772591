"""Logs, metrics, traces, and the records that the page shows."""
