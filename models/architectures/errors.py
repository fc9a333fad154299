"""What can be wrong with the name, the configuration or the weights of a network."""


class UnknownArchitecture(LookupError):
    """No library that is installed has a classification network with this name."""


class BadConfiguration(ValueError):
    """A configuration with which no network of this architecture can be built."""


class BadWeights(ValueError):
    """Weights whose names or shapes are not those of the network."""
