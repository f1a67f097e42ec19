"""The mathematics of diffusion: noise levels, what a network predicts, samplers. It knows nothing of climate."""
