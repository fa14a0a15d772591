"""Sources of records: Lambda events, streams, queues, files and scans."""
