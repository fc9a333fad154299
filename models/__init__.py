"""What an image classifier is, and what can be asked of it; knows nothing of HTTP or of training."""
