"""What must hold against hostile clients and servers, shown with real sockets."""
