"""The nouns all rooms above share: values, and a subscription's table."""
