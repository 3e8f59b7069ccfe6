"""The configuration: one TOML file a business, checked and frozen."""
