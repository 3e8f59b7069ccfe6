"""What a command does for those who act on the forecast."""
