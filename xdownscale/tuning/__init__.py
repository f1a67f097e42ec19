"""What is tuned for each method, and the log of what was tried."""
