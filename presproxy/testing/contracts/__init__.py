"""What each kind of plugin promises, as tests to subclass."""
