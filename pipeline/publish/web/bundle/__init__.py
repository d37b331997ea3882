"""The built page: `make web` writes it from `../page`. Committed, so that nobody needs Node to publish."""
