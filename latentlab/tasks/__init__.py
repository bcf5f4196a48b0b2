"""Tasks that methods are compared on: editing faces, painting drawings, building facades, changing shapes."""
