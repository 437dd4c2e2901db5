"""How presproxy is extended: declaring, finding, using and guarding plugins."""
