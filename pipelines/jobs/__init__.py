"""What a command does, from the source to files."""
