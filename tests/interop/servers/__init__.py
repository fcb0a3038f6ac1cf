"""Servers written with other people's frameworks, for the tests beside."""
