"""This project against lifetimes, on the same simulated log and in one run (``make bench``)."""
