"""The presence agent: in memory, at once, without I/O of its own."""
