"""Groups of too few customers to be shown, and the others that hide them."""
