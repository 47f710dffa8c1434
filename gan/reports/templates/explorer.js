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
  const canvas = place.querySelector("canvas");
  const sliders = [...place.querySelectorAll("[name^=direction]")];
  const sessions = new Map();
  let drawing = Promise.resolve();

  async function draw() {
    const model = models[field("model").value];
    if (!sessions.has(model.id)) {
      sessions.set(model.id, await ort.InferenceSession.create(await unpacked(model.id)));
    }
    const session = sessions.get(model.id);
    const seed = Math.min(Math.max(Math.floor(Number(field("seed").value)) || 0, 0), 9999997);
    const [right, up] = [field("right"), field("up")].map((one) => Number(one.value));
    pad.style.setProperty("--left", `${50 + 25 * right}%`);
    pad.style.setProperty("--top", `${50 - 25 * up}%`);
    field("label").closest("label").hidden = !model.classes;
    sliders.forEach((one, j) => {
      one.closest("label").hidden = j >= model.directions.length;
    });
    const ways = sliders.map((one) => Number(one.value));
    const feeds = {};
    for (const name of session.inputNames) {
      feeds[name] =
        name === model.labels
          ? new ort.Tensor("int32", Int32Array.of(labelOf(model, seed)), [1])
          : new ort.Tensor("float32", latentsAt(model, seed, right, up, ways), [1, model.dim]);
    }
    const { data, dims } = Object.values(await session.run(feeds))[0];
    paint(data, dims);
    place.dataset.shown = `${seed} ${right} ${up} ${field("label").value}`;
  }

  function labelOf(model, seed) {
    const chosen = field("label").value;
    return chosen === "" ? seed % model.classes : Math.min(Number(chosen), model.classes - 1);
  }

  function paint(data, [, height, width, channels]) {
    [canvas.width, canvas.height] = [width, height];
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let j = 0; j < 3; j++) {
        const value = data[i * channels + (channels === 3 ? j : 0)];
        image.data[4 * i + j] = Math.round(Math.min(Math.max(0.5 * value + 0.5, 0), 1) * 255);
      }
      image.data[4 * i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // One image at a time: while it is drawn, of all that is asked for only the last is kept.
  let waiting = false;
  const note = place.querySelector("output");
  const ask = () => {
    if (waiting) return drawing;
    waiting = true;
    drawing = drawing.then(async () => {
      waiting = false;
      try {
        await draw();
        note.textContent = "";
      } catch (error) {
        note.textContent = `This run cannot be shown here: ${error.message}`;
      }
    });
    return drawing;
  };
  place.addEventListener("input", ask);
  const drag = (event) => {
    if (!event.buttons) return;
    const box = pad.getBoundingClientRect();
    const part = (at, from, size) => 4 * Math.min(Math.max((at - from) / size, 0), 1) - 2;
    field("right").value = part(event.clientX, box.left, box.width);
    field("up").value = -part(event.clientY, box.top, box.height);
    ask();
  };
  pad.addEventListener("pointerdown", drag);
  pad.addEventListener("pointermove", drag);
  await ask();
}

for (const place of document.querySelectorAll(".explorer")) {
  startExplorer(place).catch((error) => {
    place.textContent = `The explorer does not work here: ${error.message}`;
  });
}
