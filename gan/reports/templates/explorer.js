// The exported generator in the browser, through ONNX Runtime Web. Latents are those of gan/sampling/latents.py.

// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), from a counter
// and a key, both lists of 32-bit numbers.
function philox(counter, key) {
  let [a, b, c, d] = counter;
  let [k, l] = key;
  for (let round = 0; round < 10; round++) {
    const p = BigInt(a) * 0xd2511f53n;
    const q = BigInt(c) * 0xcd9e8d57n;
    [a, b, c, d] = [(high(q) ^ b ^ k) >>> 0, low(q), (high(p) ^ d ^ l) >>> 0, low(p)];
    [k, l] = [(k + 0x9e3779b9) >>> 0, (l + 0xbb67ae85) >>> 0];
  }
  return [a, b, c, d];
}

const low = (x) => Number(BigInt.asUintN(32, x));
const high = (x) => Number(BigInt.asUintN(32, x >> 32n));

const LEAST = Math.fround(1e-7);

// The row of a seed, in its block of 1,000 seeds that share a key. Every step is rounded to float32.
function latentsOf(key, seed, dim) {
  const block = BigInt(Math.floor(seed / 1000));
  const first = (seed % 1000) * dim;
  const mixed = philox([low(key), high(key), low(block), high(block)], [0x3ec8f720, 0x02461e29]);
  const latents = new Float32Array(dim);
  for (let group = Math.floor(first / 4); 4 * group < first + dim; group++) {
    const bits = philox([group, 0, mixed[2], mixed[3]], [mixed[0], mixed[1]]);
    const share = bits.map((x) => (x & 0x7fffff) / 0x800000);
    for (let i = 0; i < 4; i++) {
      const radius = Math.fround(Math.sqrt(-2 * Math.fround(Math.log(share[i & 2] || LEAST))));
      const angle = Math.fround(2 * Math.PI * share[(i & 2) + 1]);
      const wave = Math.fround(i & 1 ? Math.cos(angle) : Math.sin(angle));
      const at = 4 * group + i - first;
      if (at >= 0 && at < dim) latents[at] = radius * wave;
    }
  }
  return latents;
}

// A point of the plane through a seed's image: right lies the next seed, up the one after it. The
// sum of independent normal numbers is divided so that it is as large as each of them. From there
// it goes so far along each of the generator's directions.
function latentsAt({ key, dim, directions }, seed, right, up, ways) {
  const [a, b, c] = [0, 1, 2].map((more) => latentsOf(BigInt(key), seed + more, dim));
  const length = Math.hypot(1, right, up);
  const moved = (i) => directions.reduce((sum, one, j) => sum + ways[j] * one[i], 0);
  return a.map((x, i) => (x + right * b[i] + up * c[i]) / length + moved(i));
}

const bytesOf = (id) =>
  Uint8Array.from(atob(document.getElementById(id).textContent.trim()), (c) => c.charCodeAt(0));

async function unpacked(id) {
  const stream = new Blob([bytesOf(id)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const LAST_SEED = 9999997; // the next two lie to the right and up
const GRID = 5; // thumbnails along a side of the pad
const clamped = (value, low, high) => Math.min(Math.max(value, low), high);

async function startExplorer(place) {
  const url = URL.createObjectURL(
    new Blob([await unpacked("ort-script")], { type: "text/javascript" }),
  );
  const ort = await import(url);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = (await unpacked("ort-wasm")).buffer;
  const models = JSON.parse(place.querySelector("script").textContent);
  const field = (name) => place.querySelector(`[name=${name}]`);
  const pad = place.querySelector(".pad");
  const [canvas, thumbs] = [place.querySelector(".image"), place.querySelector(".thumbs")];
  const sliders = [...place.querySelectorAll("[name^=direction]")];
  const note = place.querySelector("output");
  const sessions = new Map();
  let shownModel = null;
  let thumbsOf = ""; // what they are of
  let drawing = Promise.resolve();

  // What the fields say.
  function chosen() {
    const model = models[field("model").value];
    const seed = clamped(Math.floor(Number(field("seed").value)) || 0, 0, LAST_SEED);
    const [right, up] = [field("right"), field("up")].map((one) => Number(one.value));
    const ways = sliders.map((one) => Number(one.value));
    const label = field("label").value;
    return { model, seed, right, up, ways, label: label === "" ? seed % model.classes : Number(label) };
  }

  function showFields(model) {
    if (shownModel === model) return;
    const select = field("label");
    const before = Number(select.value || -1);
    select.length = 1;
    select.append(...model.names.map((name, label) => new Option(name, label)));
    if (before >= 0) select.value = Math.min(before, model.classes - 1);
    select.closest("label").hidden = !model.classes;
    sliders.forEach((one, j) => {
      const label = one.closest("label");
      label.hidden = j >= model.directions.length;
      const share = (100 * (model.shares[j] ?? 0)).toFixed(1);
      label.querySelector("span").textContent = `direction ${j + 1}, ${share} %`;
    });
    shownModel = model;
  }

  // Images of points of the plane, [x, y] from the seed: values, and [count, height, width, channels].
  async function imagesAt({ model, seed, ways, label }, points) {
    if (!sessions.has(model.id)) {
      sessions.set(model.id, await ort.InferenceSession.create(await unpacked(model.id)));
    }
    const session = sessions.get(model.id);
    const latents = new Float32Array(points.length * model.dim);
    points.forEach(([x, y], i) => latents.set(latentsAt(model, seed, x, y, ways), i * model.dim));
    const feeds = {};
    for (const name of session.inputNames) {
      feeds[name] =
        name === "labels"
          ? new ort.Tensor("int32", new Int32Array(points.length).fill(label), [points.length])
          : new ort.Tensor("float32", latents, [points.length, model.dim]);
    }
    return Object.values(await session.run(feeds))[0];
  }

  async function draw() {
    showFields(models[field("model").value]);
    const now = chosen();
    pad.style.setProperty("--left", `${50 + 25 * now.right}%`);
    pad.style.setProperty("--top", `${50 - 25 * now.up}%`);
    const { data, dims } = await imagesAt(now, [[now.right, now.up]]);
    [canvas.height, canvas.width] = [dims[1], dims[2]];
    place.style.setProperty("--ratio", dims[2] / dims[1]);
    paint(canvas, data, dims, 0, 0, 0);
    place.dataset.shown = `${now.seed} ${now.right} ${now.up} ${field("label").value}`;
  }

  // The plane behind the dot, one column at a time so that the image stays quick.
  async function drawThumbs() {
    const now = chosen();
    const what = JSON.stringify([now.model.id, now.seed, now.ways, now.label]);
    if (what === thumbsOf) return;
    const middles = [...Array(GRID).keys()].map((i) => (4 * (i + 0.5)) / GRID - 2);
    for (const [column, x] of middles.entries()) {
      const { data, dims } = await imagesAt(now, middles.map((y) => [x, -y]));
      const [, height, width] = dims;
      if (thumbs.width !== GRID * width) [thumbs.height, thumbs.width] = [GRID * height, GRID * width];
      for (let row = 0; row < GRID; row++) paint(thumbs, data, dims, row, column * width, row * height);
      if (waiting) return; // for what is asked now
    }
    thumbsOf = what;
    place.dataset.thumbs = what;
  }

  // Draws the image `number` of a batch at a place of a canvas.
  function paint(target, data, [, height, width, channels], number, left, top) {
    const image = new ImageData(width, height);
    const first = number * height * width * channels;
    for (let i = 0; i < width * height; i++) {
      for (let j = 0; j < 3; j++) {
        const value = data[first + i * channels + (channels === 3 ? j : 0)];
        image.data[4 * i + j] = Math.round(clamped(0.5 * value + 0.5, 0, 1) * 255);
      }
      image.data[4 * i + 3] = 255;
    }
    target.getContext("2d").putImageData(image, left, top);
  }

  // One image at a time: while it is drawn, of all that is asked for only the last is kept.
  let waiting = false;
  const ask = () => {
    if (waiting) return drawing;
    waiting = true;
    drawing = drawing.then(async () => {
      waiting = false;
      try {
        await draw();
        note.textContent = "";
        await drawThumbs();
      } catch (error) {
        note.textContent = `This run cannot be shown here: ${error.message}`;
      }
    });
    return drawing;
  };
  place.addEventListener("input", ask);

  const moveTo = (right, up) => {
    field("right").value = right;
    field("up").value = up;
    ask();
  };
  const drag = (event) => {
    if (!event.buttons) return;
    const box = pad.getBoundingClientRect();
    const part = (at, from, size) => 4 * clamped((at - from) / size, 0, 1) - 2;
    moveTo(part(event.clientX, box.left, box.width), -part(event.clientY, box.top, box.height));
  };
  pad.addEventListener("pointerdown", drag);
  pad.addEventListener("pointermove", drag);
  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  pad.addEventListener("keydown", (event) => {
    const { right, up } = chosen();
    const size = event.shiftKey ? 0.5 : 0.1;
    if (event.key in KEYS) moveTo(right + size * KEYS[event.key][0], up + size * KEYS[event.key][1]);
    else if (event.key === "Home") moveTo(0, 0);
    else return;
    event.preventDefault();
  });

  const png = () => new Promise((done) => canvas.toBlob(done, "image/png"));
  const does = {
    random: () => {
      field("seed").value = Math.floor(Math.random() * (LAST_SEED + 1));
      ask();
    },
    back: () => {
      for (const one of sliders) one.value = 0;
      moveTo(0, 0);
    },
    save: async () => {
      const { model, seed } = chosen();
      save(`${model.name}_seed_${seed}.png`.replaceAll(/[^\w.-]+/g, "_"), "image/png", await png());
    },
    copy: async () => {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": png() })]);
      note.textContent = "The image is in the clipboard.";
    },
    latents: async () => {
      const { model, seed, right, up, ways } = chosen();
      await navigator.clipboard.writeText(JSON.stringify([...latentsAt(model, seed, right, up, ways)]));
      note.textContent = `${model.dim} latents are in the clipboard, as JSON.`;
    },
  };
  for (const [name, act] of Object.entries(does)) {
    field(name).addEventListener("click", async () => {
      try {
        await act();
      } catch (error) {
        note.textContent = `That does not work here: ${error.message}`;
      }
    });
  }
  await ask();
}

for (const place of document.querySelectorAll(".explorer")) {
  startExplorer(place).catch((error) => {
    place.textContent = `The explorer does not work here: ${error.message}`;
  });
}
