"""The servers that are measured, each started privately and ended by its pid."""
