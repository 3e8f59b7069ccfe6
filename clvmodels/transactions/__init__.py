"""When customers buy and when they leave: one file a model, on one grammar."""
