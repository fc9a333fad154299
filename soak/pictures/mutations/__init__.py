"""Small pictures of every format, and the files that are made of them by changing their pieces."""
