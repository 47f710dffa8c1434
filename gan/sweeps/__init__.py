"""Many runs: planned, trained side by side, and put into tables of means over seeds."""
