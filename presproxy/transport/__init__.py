"""The thin shell around sockets."""
