"""Reads programs that torch.export.save wrote (.pt2), without running or unpickling anything in them."""
