"""In front of an existing server: what is answered here, and what goes to it."""
