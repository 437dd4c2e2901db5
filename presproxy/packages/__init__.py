"""The event packages (RFC 6665 §5)."""
