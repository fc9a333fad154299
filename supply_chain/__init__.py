"""What the project is made of: known vulnerabilities of its packages, and a list of everything that is installed."""
