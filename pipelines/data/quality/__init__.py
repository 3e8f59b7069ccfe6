"""What is wrong with a log: rows set aside and their money, what looks implausible, controls."""
