"""What a command does, as a function."""
