"""What a run writes for people to read: the model card, and a report with plots and pictures of the mistakes."""
