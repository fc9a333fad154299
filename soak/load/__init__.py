"""The service at its capacity, at four times that, and afterwards."""
