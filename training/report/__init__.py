"""What a run leaves for people: the model card, plots, and the mistakes as pictures."""
