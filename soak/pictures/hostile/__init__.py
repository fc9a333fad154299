"""Files of 19 MB that keep a decoder busy or fill its memory, one kind of piece in each."""
