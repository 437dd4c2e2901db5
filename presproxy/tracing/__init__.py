"""What went over the wire, read: messages, whom they are of, and what they mean together."""
