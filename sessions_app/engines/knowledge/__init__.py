"""How ``knowledge://`` answers without a model: what callers mean, and which sentence answers."""
