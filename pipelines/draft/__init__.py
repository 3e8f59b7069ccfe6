"""A first configuration, guessed from the names and the values of a source's columns."""
