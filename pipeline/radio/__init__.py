"""Radio engineering that services share: channels, emissions, antennas, noise."""
