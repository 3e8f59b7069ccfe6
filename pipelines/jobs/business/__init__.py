"""Jobs that tell what customers are worth, without fitting a model."""
