"""What is known at a day, and the models fitted to it."""
