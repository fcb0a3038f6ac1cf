"""Measures Lockgate beside a direct connection and beside nginx, in one run."""
