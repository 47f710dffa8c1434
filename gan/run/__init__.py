"""What a run is, without TensorFlow: configuration, presets, directory, records, lock."""
