"""From photos to batches: the plan of a run, augmentation, the store of decoded photos, and worker processes."""
