"""From a likelihood to parameters, their errors and their files, whatever the model."""
