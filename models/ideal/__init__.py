"""Pictures that a model holds ideal for a class."""
