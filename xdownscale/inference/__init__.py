"""From one window to any domain: tiles with halo, counter-based noise, the engine that puts them together."""
