"""Torch modules that know nothing of climate. Frames are an axis: ``(B, L, C, H, W)``, batch, frame, channel, y, x."""
