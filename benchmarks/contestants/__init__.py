"""The contestants. `prepare(event, url, index)` returns the function to time, which processes one event."""
