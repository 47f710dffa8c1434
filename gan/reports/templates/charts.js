// Charts through Plotly: its own hover, zoom and pictures; here are switches, colours and files.

// Plotly reads some HTML in names; a run's name is text.
const asText = (name) => name.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

// An exponential mean over the points, as TensorBoard's; a gap stays one.
function smoothed(values, weight) {
  let [sum, mass] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}

// The area between two lines as closed shapes, one between two gaps.
function area(steps, lowest, highest) {
  const [x, y] = [[], []];
  for (let i = 0; i < steps.length; i++) {
    const start = i;
    while (i < steps.length && lowest[i] !== null) i++;
    const inside = [...steps.keys()].slice(start, i);
    const around = [...inside, ...inside.toReversed()];
    x.push(...around.map((j) => steps[j]), null);
    y.push(...around.map((j, k) => (k < inside.length ? highest : lowest)[j]), null);
  }
  return { x, y, fill: "toself", line: { width: 0 }, mode: "lines", hoverinfo: "skip", showlegend: false };
}

// How many powers of ten positive lines span.
function decadesOf(lines) {
  const values = lines.flatMap(({ means, lowest, highest }) => [means, lowest ?? [], highest ?? []].flat());
  const known = values.filter((value) => value !== null);
  return Math.log10(Math.max(...known) / Math.min(...known));
}

// The colours of the page, or those for paper.
function coloursOf(place) {
  const style = getComputedStyle(place);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return { ...Object.fromEntries(["card", "ink", "faint", "line", "bad", "band"].map((name) => [name, colour(name)])),
           lines: [...Array(8).keys()].map((i) => colour(`c${i}`)) };
}

function figureOf(chart, runs, state, colours) {
  const several = runs.length > 1;
  const shown = chart.lines.filter((line) => state.shown[line.run]);
  // A run's second line has its own colour, and so its own band.
  const bandColour = ({ role }) => {
    const number = chart.lines.findIndex((line) => line.role === role);
    return role && !several && number >= 0 ? colours.lines[number] : colours.band;
  };
  const traces = chart.bands.map((band) => ({
    ...area(band.steps, band.lowest, band.highest), fillcolor: `${bandColour(band)}2b`,
  }));
  for (const line of shown) {
    const { steps, means, lowest, highest, role } = line;
    const colour = colours.lines[several ? line.run % 8 : chart.lines.indexOf(line)];
    const few = steps.length < 20; // points of their own, which nothing smooths
    const smooth = state.smoothing > 0 && !few;
    const plain = { x: steps, y: means, mode: "lines", line: { color: colour, width: 1.75 } };
    if (lowest) traces.push({ ...area(steps, lowest, highest), fillcolor: `${colour}26` });
    if (smooth) traces.push({ ...plain, opacity: 0.25, hoverinfo: "skip", showlegend: false });
    traces.push({
      ...plain,
      y: smooth ? smoothed(means, state.smoothing) : means,
      name: asText(several ? runs[line.run].name : role || chart.title),
      mode: few ? "lines+markers" : "lines",
      marker: { color: colour, size: 5 },
      customdata: means.map((mean, i) => number(mean) + (lowest ? ` (${number(lowest[i])} to ${number(highest[i])})` : "")),
      hovertemplate: "%{customdata}", // what was logged, also where the line is smoothed
    });
  }
  const ends = chart.lines.flatMap(({ steps }) => [steps[0], steps.at(-1)]);
  const [first, last] = [Math.min(...ends), Math.max(...ends)];
  if (chart.level !== null) {
    traces.push({ x: [first, last], y: [chart.level, chart.level], mode: "lines", hoverinfo: "skip",
                  showlegend: false, line: { color: colours.faint, dash: "dot", width: 1 } });
  }
  const signs = runs.flatMap(({ signs }, run) =>
    state.shown[run] ? signs.map(([step, name]) => ({ step, name, run })) : [],
  );
  const signColour = ({ run }) => (several ? colours.lines[run % 8] : colours.bad);
  const axis = { color: colours.faint, gridcolor: colours.line, zerolinecolor: colours.line,
                 linecolor: colours.line, automargin: true };
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: colours.card,
    font: { color: colours.ink, family: "system-ui, sans-serif", size: 12 },
    margin: { l: 44, r: 12, t: 18, b: 36 },
    showlegend: false,
    hovermode: "x unified",
    hoverdistance: -1,
    hoverlabel: { bgcolor: colours.card, bordercolor: colours.line, font: { color: colours.ink }, namelength: 24 },
    dragmode: state.zoom ? "zoom" : false,
    uirevision: "kept",
    xaxis: { ...axis, title: { text: "step", standoff: 4 }, unifiedhovertitle: { text: "step %{x:,d}" },
             separatethousands: true, zeroline: false,
             spikecolor: colours.faint, spikethickness: 1, spikedash: "dot" },
    yaxis: { ...axis, type: state.log ? "log" : "linear", uirevision: state.log, nticks: 6,
             ...(state.log ? { tickformat: "~g", dtick: decadesOf(shown) > 3 ? 1 : "D2" } : {}) },
    shapes: signs.map((sign) => ({ type: "line", x0: sign.step, x1: sign.step, y0: 0, y1: 1, yref: "paper",
                                   line: { color: signColour(sign), dash: "dash", width: 1 } })),
    annotations: signs.map((sign) => ({
      x: sign.step, y: 1, yref: "paper", yanchor: "bottom", showarrow: false, text: "▼",
      font: { color: signColour(sign), size: 11 },
      hovertext: asText(`${several ? `${runs[sign.run].name}: ` : ""}${sign.name} from step ${sign.step.toLocaleString("en")}`),
    })),
  };
  return { data: traces, layout };
}

const number = (value) => (value === null ? "?" : Number(value.toPrecision(4)).toString());

// A picture for paper: light, with a title and a legend below the axes.
async function svgOf(chart, runs, state) {
  const place = document.createElement("div");
  place.className = "print";
  document.body.append(place);
  const { data, layout } = figureOf(chart, runs, state, coloursOf(place));
  place.remove();
  layout.title = { text: asText(chart.title), font: { size: 15 } };
  layout.margin = { l: 60, r: 20, t: 50, b: 50 };
  layout.showlegend = runs.length > 1 || chart.lines.some(({ role }) => role);
  layout.legend = { orientation: "h", y: -0.2 };
  if (state.ranges) [layout.xaxis.range, layout.yaxis.range] = state.ranges;
  const address = await Plotly.toImage({ data, layout }, { format: "svg", width: 800, height: 450 });
  return decodeURIComponent(address.slice(address.indexOf(",") + 1));
}

// What is drawn, a row a point. No cell is a formula to a spreadsheet, whatever a run is called.
function csvOf(chart, runs) {
  const quoted = (text) => `"${text.replace(/^(?=[=+@\t-])/, "'").replaceAll('"', '""')}"`;
  const rows = chart.lines.flatMap(({ run, role, steps, means, lowest, highest }) =>
    steps.map((step, i) =>
      [quoted(runs[run].name), quoted(role || chart.title), step, means[i], lowest?.[i], highest?.[i]].join(","),
    ),
  );
  return ["run,series,step,mean,lowest,highest", ...rows, ""].join("\r\n");
}

function startCharts(controls) {
  const { runs, charts } = JSON.parse(document.getElementById("chart-data").textContent);
  const shown = runs.map(() => true);
  const touch = matchMedia("(pointer: coarse)").matches; // there a finger that drags scrolls the page
  const drawings = [...document.querySelectorAll(".chart")].map((place, i) => {
    const chart = charts[i];
    const state = { shown, smoothing: 0, log: chart.logarithmic, zoom: !touch };
    const plot = place.querySelector(".plot");
    const button = (name) => place.querySelector(`[name=${name}]`);
    const fileName = (end) => `${chart.title.replaceAll(/\W+/g, "_")}.${end}`;
    const draw = async () => {
      try {
        const { data, layout } = figureOf(chart, runs, state, coloursOf(document.documentElement));
        await Plotly.react(plot, data, layout, { displayModeBar: false, responsive: true, showTips: false });
        button("log").setAttribute("aria-pressed", state.log);
        button("zoom").setAttribute("aria-pressed", state.zoom);
      } catch (error) {
        plot.textContent = `${chart.title}: cannot be drawn (${error.message})`;
      }
    };
    const positive = chart.lines.every(({ means, lowest }) => (lowest ?? means).every((y) => y === null || y > 0));
    button("log").disabled = !positive;
    button("log").title = positive ? "logarithmic axis" : "values of 0 or below have no logarithm";
    button("zoom").hidden = !touch;
    const does = {
      log: () => draw(void (state.log = !state.log)),
      zoom: () => draw(void (state.zoom = !state.zoom)),
      reset: () => Plotly.relayout(plot, { "xaxis.autorange": true, "yaxis.autorange": true }),
      csv: () => save(fileName("csv"), "text/csv", csvOf(chart, runs)),
      svg: async () => {
        const { xaxis, yaxis } = plot._fullLayout;
        state.ranges = [[...xaxis.range], [...yaxis.range]];
        save(fileName("svg"), "image/svg+xml", await svgOf(chart, runs, state));
      },
    };
    for (const [name, act] of Object.entries(does)) button(name).addEventListener("click", act);
    return { state, draw };
  });
  const drawAll = () => Promise.all(drawings.map(({ draw }) => draw()));
  controls.addEventListener("input", () => {
    const smoothing = Number(controls.querySelector("[name=smoothing]").value);
    for (const box of controls.querySelectorAll("[name=run]")) shown[box.value] = box.checked;
    for (const { state } of drawings) state.smoothing = smoothing;
    drawAll();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  return drawAll();
}

const chartControls = document.getElementById("chart-controls");
const chartsDrawn = startCharts(chartControls).then(() => (chartControls.dataset.drawn = "yes"));
