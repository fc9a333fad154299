"""Pictures in folders and zips -> batches: where they lie, what is wrong with them, who trains, how they are kept."""
