"""From a fine field to a trained method: windows, proper scores, the loop."""
