"""Tasks that methods are compared on."""
