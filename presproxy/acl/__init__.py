"""Contact ACLs: who may see whom."""
