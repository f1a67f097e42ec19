"""Methods, their value transforms and conservation, and the one-file artefact that holds them."""
