"""The endpoints below /adversarial."""
