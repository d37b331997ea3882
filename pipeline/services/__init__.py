"""Services and decisions that limit devices: one file each, all of one signature."""
