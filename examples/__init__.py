"""Runnable, tested examples."""
