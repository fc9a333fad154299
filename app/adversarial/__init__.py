"""The endpoints of /adversarial."""
