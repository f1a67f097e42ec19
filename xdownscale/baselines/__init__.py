"""What a user would do without us."""
