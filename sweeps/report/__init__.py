"""Reports: figures, one trial, the page of claims."""
