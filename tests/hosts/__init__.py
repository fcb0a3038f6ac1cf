"""Tests of servers hardened in their own process."""
