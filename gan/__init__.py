"""TapeGAN: GAN research on TensorFlow and Keras 3, one ``tf.GradientTape`` per player."""

import os

# Both must be set before TensorFlow and Keras are imported. An explicit setting of the user wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # start-up chatter; 0 shows it
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

__version__ = "0.1.0"
