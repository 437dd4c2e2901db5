"""The trace by HTTP: what is held, one message of it, and what leaves it as a file."""
