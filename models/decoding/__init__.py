"""What `models.pictures` is made of: kinds of files, their metadata, their limits, and what their numbers mean."""
