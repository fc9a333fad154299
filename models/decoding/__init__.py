"""The parts of `models.pictures`: recognising file formats, limits, metadata, and converting samples to 8 bits."""
