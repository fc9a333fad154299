"""Reads pictures and options from requests, in all the ways in which clients may send them."""
