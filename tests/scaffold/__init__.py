"""`lockgate new`: names, projects, updates. What takes minutes is left to `make new-test`."""
