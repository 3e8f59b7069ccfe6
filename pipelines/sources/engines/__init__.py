"""Engines as objects behind one interface: DuckDB, PostgreSQL and other databases, Spark."""
