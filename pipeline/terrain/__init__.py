"""Stage 3: effective heights, clearance angles and sea sections of each mast from radial terrain profiles."""
