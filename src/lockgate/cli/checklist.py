"""`lockgate checklist`."""
