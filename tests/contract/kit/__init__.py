"""The test kit, the examples, the documents, and what is built from the tree."""
