"""The web map ``public/web/``: a static page with its tiles, numbers and boundaries, for any file server."""
