"""FID and its kin as papers compute them: through Inception-2015-12-05, beside real images."""
