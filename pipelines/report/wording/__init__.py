"""What the report says: names, numbers and verdicts in words."""
