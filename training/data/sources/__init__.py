"""Where the pictures are: folders, zips, tars and data sets by name, all opened as a `Source`."""
