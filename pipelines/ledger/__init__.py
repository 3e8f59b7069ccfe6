"""What was forecast and what came true, kept for good: nothing in it is ever overwritten."""
