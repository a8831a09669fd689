"""Three backends, each in one file. docs/embedding.md explains them."""
