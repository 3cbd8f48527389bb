"""What people read: figures, one trial, the page of claims."""
