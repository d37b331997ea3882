"""From a country and a folder of its files to a territory file that can be checked."""
