"""Where records outlive the process."""
