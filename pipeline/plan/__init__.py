"""The jobs of a territory: what each depends on and which files it writes."""
