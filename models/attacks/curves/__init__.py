"""How easily a model is fooled about one picture: the curve, the searches behind it, and its plot."""
