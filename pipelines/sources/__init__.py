"""Where transactions come from: the one place where files and engines differ."""
