"""One file per endpoint; handlers translate, nothing else."""
