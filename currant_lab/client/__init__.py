"""What a person holds: jobs, executions, batches, and the client under them."""
