"""Tests of the gateway as a client of OAuth."""
