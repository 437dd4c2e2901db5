"""The console: the page at ``/``, and the stream that keeps it up to date."""
