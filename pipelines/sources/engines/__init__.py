"""What Spark does in its own way."""
