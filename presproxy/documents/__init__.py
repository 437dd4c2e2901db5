"""Presence documents: bytes to values and back.  Pure."""
