"""The work around the models: configuration, data access, files and the command line."""
