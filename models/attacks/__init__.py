"""Pictures that look like one thing to a person and like another to the model."""
