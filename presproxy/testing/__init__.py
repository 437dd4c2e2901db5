"""For whoever writes a plugin: contracts and recorders."""
