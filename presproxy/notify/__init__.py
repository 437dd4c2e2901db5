"""The roads by which notifications reach watchers."""
