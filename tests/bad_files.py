"""Command lines about files and directories that are not what they should be.

Rows are those of tests/bad_flags.py.
"""

import bad_places

RESUME = "--preset=tiny --steps=3 " + " ".join(
    f"--{name}={value}" for name, value in bad_places.TINY.items() if name != "steps"
)
CONFIG = "@/runs/{0}/config.json: is not a configuration"
RUNS = [
    *((command, f"--run_dir=@/runs/bad_{name}", f"{CONFIG.format(f'bad_{name}')}{what}")
      for command, name, what in (
        ("train", "empty", ", must be JSON"),
        ("evaluate", "text", ", must be JSON"),
        ("sample", "torn", ", must be JSON"),
        ("train", "binary", ", must be JSON"),
        ("evaluate", "deep", ", must be JSON"),
        ("sample", "huge", ", must be JSON"),
        ("evaluate", "directory", ", must be JSON (Is a directory)"),
        ("train", "list", ', must be an object with one as "config"'),
        ("sample", "null", ', must be an object with one as "config"'),
        ("evaluate", "other", ', must be an object with one as "config"'),
        ("train", "config_list", ', must be an object with one as "config"'),
        ("evaluate", "config_text", ', must be an object with one as "config"'),
        ("sample", "unknown", " (--learning_rate: unknown, valid are dataset, data_dir"),
        ("train", "type", " (--steps=many: must be an integer at least 1"),
        ("evaluate", "float", " (--batch_size=64.5: must be an integer at least 1"),
        ("sample", "range", " (--beta_1=7: must be a number at least 0 and below 1"),
        ("train", "nan", ", must be JSON (has NaN, which JSON lacks)"),
        ("evaluate", "none", " (--dataset=None: must be text"),
        ("sample", "clash", " (--loss=hinge: --schedule=classic has its own"),
    )),
    ("train", "--run_dir=@/runs/bad_link", "--run_dir=@/runs/bad_link: holds other files and no c"),
    ("evaluate", "--run_dir=@/runs/own_number", f"{CONFIG.format('own_number')}, \"own_networks\""),
    ("evaluate", "--run_dir=@/nowhere", "--run_dir=@/nowhere: is not a run, it has no config.json"),
    ("evaluate", "--run_dir=@/file", "--run_dir=@/file: is not a run, it has no config.json"),
    ("sample", "--run_dir=@/full", "--run_dir=@/full: is not a run, it has no config.json"),
    ("sample", "", "--run_dir=runs/mlp: is not a run, it has no config.json"),
    ("train", "--preset=mlp --run_dir=@/run", "--run_dir=@/run: holds a run of another con"),
    ("train", f"{RESUME} --seed=1 --run_dir=@/run",
     "--run_dir=@/run: holds a run of another configuration (seed: 0 -> 1), must be a new"),
    *(("train", f"{RESUME} --run_dir=@/runs/{name}", f"@/runs/{name}/{what}")
      for name, what in (
        ("torn_weights", "checkpoints/step-2: cannot be restored into these networks"),
        ("torn_index", "checkpoints/step-2: cannot be restored into these networks"),
        ("no_index", "checkpoints/step-2: cannot be restored into these networks"),
        ("no_state", "checkpoints/checkpoint: cannot be read, must be TensorFlow's"),
        ("checkpoints_file", "checkpoints: must be a directory, as training makes it"),
        ("metrics_text", "metrics.jsonl: line 1 is no record, must be an object with a step"),
        ("metrics_binary", "metrics.jsonl: cannot be read, must be JSON lines"),
        ("metrics_directory", "metrics.jsonl: must be a file, as training makes it"),
        ("evaluations_text", "evaluations.jsonl: line 1 is no record, must be an object with a s"),
        ("evaluations_directory", "evaluations.jsonl: must be a file, as training makes it"),
        ("summary_directory", "summary.json: must be a file, as training makes it"),
        ("samples_file", "samples: must be a directory, as training makes it"),
        ("tensorboard_file", "tensorboard: must be a directory, as training makes it"),
    )),
    *(("evaluate", f"--run_dir=@/runs/{name}", what) for name, what in (
        ("torn_weights", "@/runs/torn_weights/checkpoints/step-2: cannot be restored into the gen"),
        ("no_index", "@/runs/no_index/checkpoints/step-2: cannot be restored into the generator"),
        ("no_checkpoints", "--run_dir=@/runs/no_checkpoints: has no checkpoint yet"),
        ("evaluations_binary", "@/runs/evaluations_binary/evaluations.jsonl: cannot be read, must"),
        ("other_networks", "@/runs/other_networks/checkpoints/step-2: cannot be restored into the"),
        ("conditional", "@/runs/conditional/checkpoints/step-2: cannot be restored into the gene"),
        ("conv_on_points", "--generator=dcgan: needs images [H, W, C], the data has the shape [2]"),
        ("table", "--dataset=celeba: must be one of mnist, fashion_mnist, kmnist, cifar10"),
        ("gone", "--run_dir=@/runs/gone: needs the images that it was trained on, @/nowhere"),
        ("no_data", "--data_dir=@/nowhere: not a directory; must hold mnist.npz"),
        ("own_gone", "--run_dir=@/runs/own_gone: has no generator.keras yet, it comes when train"),
        ("keras_two", "@/runs/keras_two/generator.keras: makes [(None, 28, 28, 1), (None, 8)], m"),
        ("keras_small", "@/runs/keras_small/generator.keras: maps (None, 8) to (None, 20, 20, 1)"),
    )),
    ("evaluate", "--run_dir=@/run --checkpoint=best", "--checkpoint=best: must be one of latest, "),
    ("evaluate", "--run_dir=@/run --checkpoint=7", "--checkpoint=7: must be one of latest, 2"),
    *(("sample", f"--run_dir=@/runs/{name}", what) for name, what in (
        ("no_keras", "--run_dir=@/runs/no_keras: has no generator.keras yet, it comes when train"),
        ("keras_text", "@/runs/keras_text/generator.keras: cannot be loaded"),
        ("keras_empty", "@/runs/keras_empty/generator.keras: cannot be loaded"),
        ("keras_torn", "@/runs/keras_torn/generator.keras: cannot be loaded"),
        ("keras_directory", "@/runs/keras_directory/generator.keras: must be a file, as training"),
        ("keras_five", "@/runs/keras_five/generator.keras: maps (None, 5) to (None, 1, 5, 1), mu"),
        ("keras_flat", "@/runs/keras_flat/generator.keras: makes (None, 784), must make images ["),
        ("keras_labels", "@/runs/keras_labels/generator.keras: maps (None, 8) and (None,) to (No"),
        ("conditional", "@/runs/conditional/generator.keras: maps (None, 8) to (None, 28, 28, 1)"),
        ("points", "@/runs/points/generator.keras: makes (None, 28, 28, 1), must make points [ba"),
    )),
    ("sweep", "--out=@/file", "--out=@/file: is a file, must be a directory for runs"),
    ("sweep", "--out=@/run", "--out=@/run: is a run itself, must be a directory for runs"),
    ("table", "--runs=@/nowhere", "--runs=@/nowhere: is not there, must be runs, or director"),
    ("table", "--runs=@/empty", "--runs=@/empty: holds no run, must be runs, or directories"),
    ("table", "--runs=@/runs/evaluations_text",
     "@/runs/evaluations_text/evaluations.jsonl: line 1 is no record"),
    ("study", "--study=tiny --out=@/studies", "--run_dir=@/studies/tiny/alternating-0: is a file"),
    ("study", "--study=ring --out=@/studies", "--run_dir=@/studies/ring/ring-0: holds a run of an"),
    ("study", "--study=grid --out=@/studies", "@/studies/grid/grid-0/config.json: is not a config"),
    ("train_features", "--out=@/features", "@/features/mnist-cnn-a-v1.npz: must be weights of cnn"),
]  # fmt: skip
SAMPLES = [
    ("evaluate", f"--samples=@/{name}", f"--samples=@/{name}: {what}") for name, what in (
        ("nowhere", "must be a directory of PNG files or an npz file"),
        ("loop", "must be a directory of PNG files or an npz file"),
        ("empty", "holds 0 PNG files, must be at least 1000"),
        ("samples/png_few", "holds 1 PNG files, must be at least 1000"),
        ("file", "is not an npz file of images"),
        ("binary", "is not an npz file of images"),
        ("samples/empty.npz", "is not an npz file of images"),
        ("samples/torn.npz", "is not an npz file of images"),
        ("samples/single.npy", "is not an npz file of images"),
        ("samples/object.npz", "is not an npz file of images (Object arrays cannot be loaded"),
        ("samples/no_array.npz", "holds nothing, one must be named images"),
        ("samples/two.npz", "holds a, b, one must be named images"),
        ("samples/few.npz", "holds 10 images, must be at least 1000"),
        ("samples/none.npz", "is [0, 28, 28], must be [N, H, W] or [N, H, W, C]"),
        ("samples/flat.npz", "is [1000, 784], must be [N, H, W] or [N, H, W, C]"),
        ("samples/five.npz", "is [1000, 1, 1, 28, 28], must be [N, H, W] or [N, H, W, C]"),
        ("samples/small.npz", "images are [20, 28, 1], must be [28, 28, 1]"),
        ("samples/colour.npz", "images are [28, 28, 3], must be [28, 28, 1]"),
        ("samples/first.npz", "images are [1, 28, 28], must be [28, 28, 1]"),
        ("samples/ones.npz", "is uint8 with nothing above 1, must be in 0..255, or floats"),
        ("samples/int.npz", "is int32, must be uint8 or floats"),
        ("samples/bool.npz", "is bool, must be uint8 or floats"),
        ("samples/text.npz", "is <U1, must be uint8 or floats"),
        ("samples/complex.npz", "is complex64, must be uint8 or floats"),
        ("samples/nan.npz", "has pixels that are NaN or infinite"),
        ("samples/large.npz", "has floats from 255 to 255, must be in 0..1, in -1..1, or uint8"),
    )
] + [
    ("evaluate", f"--samples=@/samples/{name}", f"@/samples/{name}/0.png: {what}")
    for name, what in (
        ("png", "is [1, 1, 1], must be [28, 28, 1]"),
        ("png_torn", "cannot be read"),
    )
]  # fmt: skip
DATA = [
    (command, f"{flags} --data_dir=@/{name}", f"--data_dir=@/{name}: {what}")
    for command, flags, name, what in (
        ("train", "", "nowhere", "not a directory; must hold mnist.npz"),
        ("train", "--dry_run", "file", "not a directory; must hold mnist.npz"),
        ("train", "", "empty", "no train-images-idx3-ubyte; must hold mnist.npz"),
        ("evaluate", "--samples=@/samples/good.npz", "loop", "not a directory; must hold mnist.np"),
        ("evaluate", "--run_dir=@/run", "empty", "no train-images-idx3-ubyte; must hold mnist.npz"),
        ("train_features", "", "full", "no train-images-idx3-ubyte; must hold mnist.npz"),
        ("train", "", "data/empty", "cannot read @/data/empty/mnist.npz"),
        ("train", "", "data/text", "cannot read @/data/text/mnist.npz"),
        ("train", "", "data/torn", "cannot read @/data/torn/mnist.npz"),
        ("train", "", "data/directory", "cannot read @/data/directory/mnist.npz"),
        ("train", "", "data/link", "no train-images-idx3-ubyte; must hold mnist.npz"),
        ("train", "", "data/some", "cannot read @/data/some/mnist.npz"),
        ("train", "", "data/object", "cannot read @/data/object/mnist.npz: Object arrays cannot b"),
        ("train", "", "data/small", "mnist.npz: x_train is uint8 [9, 28, 28], but MNIST's is uint"),
        ("train", "", "data/float", "mnist.npz: x_train is float64 [2, 2], but MNIST's is uint8"),
        ("train", "", "data/blank", "mnist.npz: x_train is not MNIST's (its SHA-256 is another on"),
        ("evaluate", "--run_dir=@/run", "data/blank", "mnist.npz: x_train is not MNIST's"),
        ("train", "--dataset=fashion_mnist", "data/blank_fashion",
         "fashion_mnist.npz: x_train is not Fashion-MNIST's"),
        ("train", "--dataset=stacked_mnist", "data/three", "no train-labels-idx1-ubyte; must hold"),
        ("train", "", "data/idx_text", "cannot read @/data/idx_text/train-images-idx3-ubyte: not "),
        ("train", "", "data/idx_torn", "cannot read @/data/idx_torn/train-images-idx3-ubyte: hold"),
        ("train", "", "data/idx_int", "cannot read @/data/idx_int/train-images-idx3-ubyte: not an"),
        ("train", "", "data/idx_gz", "cannot read @/data/idx_gz/train-images-idx3-ubyte.gz: Compr"),
        ("train", "--dataset=cifar10", "data/cifar_text", "cannot read @/data/cifar_text/cifar-10"),
        ("train", "--dataset=cifar10", "data/cifar_empty", "cannot read @/data/cifar_empty/cifar-"),
        ("train", "--dataset=cifar10", "data/cifar_odd", "cannot read @/data/cifar_odd/data_batch"),
    )
] + [
    ("train", f"--dataset=image_folder:@/{name}", f"--dataset=image_folder:@/{name}: {what}")
    for name, what in (
        ("nowhere", "not a directory; must hold images (.jpg .jpeg .jpe"),
        ("file", "not a directory; must hold images (.jpg .jpeg .jpe"),
        ("empty", "holds no images, must hold some (.jpg .jpeg .jpe"),
        ("folders/hidden", "holds no images, must hold some"),
        ("folders/other", "holds no images, must hold some"),
        ("folders/directory", "holds no images, must hold some"),
    )
] + [
    ("train", f"--dataset=image_folder:@/folders/{name} --skip_bad_images={skip}",
     f"@/folders/{name}/{file}: {what}; 1 of 1 images is bad, there must be good ones")
    for name, skip, file, what in (
        ("empty_image", "false", "a.jpg", "is empty"),
        ("text", "true", "a.jpeg", "is no image, or damaged at its beginning"),
        ("floats", "true", "a.tif", "has floating-point pixels, must have 8 or 16 bits"),
        ("gone", "false", "a.png", "cannot be read (No such file or directory)"),
    )
]  # fmt: skip
LONG = "a" * 300
PLACES = [
    ("train", "--run_dir=@/file", "--run_dir=@/file: is a file, must be a new directory"),
    ("train", "--run_dir=@/file/run", "--run_dir=@/file/run: cannot be written (@/file is not a "),
    ("train", "--dry_run --run_dir=@/file/a", "--run_dir=@/file/a: cannot be written (@/file is "),
    ("train", "--run_dir=@/full", "--run_dir=@/full: holds other files and no config.json"),
    ("train", "--run_dir=/proc/none/run", "--run_dir=/proc/none/run: cannot be written"),
    ("train", "--run_dir=@/loop", "--run_dir=@/loop: cannot be written"),
    ("train", "--run_dir=@/dangling", "--run_dir=@/dangling: cannot be written"),
    ("train", "--run_dir=@/\udcfe", "--run_dir=@/\\xfe: must be UTF-8"),
    ("train", f"--run_dir={LONG}", f"{LONG}/config.json: File name too long"),
    ("train", f"--data_dir=@/{LONG}", f"@/{LONG}: File name too long"),
    ("evaluate", f"--samples=@/{LONG}", f"@/{LONG}: File name too long"),
    ("evaluate", "--samples=@/empty --out=@/empty", "--out=@/empty: must be a file in a directory"),
    ("evaluate", "--samples=@/empty --out=@/nowhere/x", "--out=@/nowhere/x: must be a file in a d"),
    ("evaluate", "--samples=@/empty --out=@/file/x", "--out=@/file/x: must be a file in a direct"),
    ("evaluate", "--samples=@/empty --out=@/binary", "@/binary: cannot be read, must be JSON line"),
    ("sample", "--run_dir=@/run --out=@/full", "--out=@/full: must end in .png"),
    ("sample", "--run_dir=@/run --out=@/file/x.png", "--out=@/file/x.png: cannot be written (Not"),
    ("sample", "--run_dir=@/run --out=@/nowhere/x.png", "--out=@/nowhere/x.png: cannot be written"),
    ("sample", "--run_dir=@/run --seeds=1 --out=@/file", "--out=@/file: cannot be written (File e"),
    ("study", "--study=tiny --out=@/file", "--out=@/file: cannot be written (Not a directory)"),
    ("study", "--study=tiny --out=@/dangling", "--out=@/dangling: cannot be written (File exists"),
    ("benchmark", "--out=@/full", "--out=@/full: is a directory, must be a file"),
    ("benchmark", "--out=@/file/x", "--out=@/file/x: cannot be written (File exists)"),
    ("train_features", "--out=@/file", "--out=@/file: cannot be written (File exists)"),
    ("train_features", "--out=@/file/x", "--out=@/file/x: cannot be written (Not a directory)"),
]  # fmt: skip
