"""RFC 3261 §17 and §12 as tables.  Pure: ``now`` is handed in."""
