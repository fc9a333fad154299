"""The kinds of sources from which a model can be imported, one module each."""
