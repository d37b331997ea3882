"""What served DTT reception allows to devices around it."""
