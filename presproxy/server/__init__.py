"""The transaction user: from a request to its answer."""
