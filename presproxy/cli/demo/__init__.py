"""``presproxy demo``: two users, a server of their own, and what goes between them."""
