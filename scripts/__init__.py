"""What `make` and CI run beside the well-known tools; each file says what it is for."""
