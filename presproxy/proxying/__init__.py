"""What a proxy decides (RFC 3261 §16): messages and time in, messages and wishes out."""
