"""The same GAN in other frameworks, for the benchmark and for tests of equivalence."""
