"""The documentation site: reference pages that are made from the code, and what Sphinx needs to build them."""
