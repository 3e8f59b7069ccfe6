"""The one definition of every summary, actual and feature."""
