"""What people look at after training: plots, comparisons, the page."""
