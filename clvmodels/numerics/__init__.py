"""Numerical methods that know no customer: special functions, integrals, optimisers."""
