"""What customers spend at a time."""
