"""Recordings, exports and other files as sources: on disk, in S3, or on standard input."""
