"""Authenticators: who you are."""
