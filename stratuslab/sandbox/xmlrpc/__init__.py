"""XML-RPC: calls, and how the services write their answers."""
