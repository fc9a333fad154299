"""Data sets of pictures: where they are (`sources`), the class of each file (`layout`), what is wrong with it (`scan`),
the train, validation and test splits (`split`), and batches for the network (`loading`)."""
