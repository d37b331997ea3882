"""Protection: what served DTT reception and other services allow to white-space devices around them."""
