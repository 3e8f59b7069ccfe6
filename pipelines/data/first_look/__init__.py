"""What a log and the tables beside it are looked at for before it is read."""
