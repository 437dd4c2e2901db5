"""presproxy: a presence server and proxy for SIP."""

__version__ = "0.1.0"
