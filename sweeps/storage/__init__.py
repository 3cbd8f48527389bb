"""Read and write files by name, in a folder or in a bucket."""
