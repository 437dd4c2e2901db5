"""The other door: health, metrics and the JSON interface."""
