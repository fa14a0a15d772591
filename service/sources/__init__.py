"""Where records come from: Lambda events, streams, queues, recordings."""
