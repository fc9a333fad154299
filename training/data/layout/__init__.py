"""Which class, and which split, each file belongs to: read from folders, file names or tables of labels."""
