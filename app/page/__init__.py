"""The web page that the service shows at `/`, and its files below `/page`."""
