"""What `experiments.study` trains, evaluates and reports."""
