"""What only root can try."""
