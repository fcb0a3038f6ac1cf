"""`lockgate new`: names, projects, updates. What takes minutes is in test_projects (`make new-test`)."""
