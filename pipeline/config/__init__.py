"""The settings of one territory: one module per section of its file."""
