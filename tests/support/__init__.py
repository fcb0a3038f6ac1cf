"""What tests share: servers to start, Node to run, clients to speak with."""
