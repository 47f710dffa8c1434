"use strict";
document.documentElement.classList.add("scripted"); // shows what needs a script

// Sample grids over training: a slider chooses the step, for all runs if they are linked.
const slideshows = [...document.querySelectorAll(".slideshow")].map((place) => {
  const frames = JSON.parse(place.querySelector("script").textContent);
  const slider = place.querySelector("input");
  const show = () => {
    const { step, picture } = frames[slider.value];
    place.querySelector("img").src = picture;
    place.querySelector("output").textContent = `step ${step.toLocaleString("en")}`;
    slider.setAttribute("aria-valuetext", `step ${step}`);
    return step;
  };
  const showNearest = (step) => {
    const far = frames.map((frame) => Math.abs(frame.step - step));
    slider.value = far.indexOf(Math.min(...far));
    show();
  };
  slider.addEventListener("input", () => {
    const step = show();
    if (document.getElementById("linked")?.checked) {
      for (const other of slideshows) if (other.slider !== slider) other.showNearest(step);
    }
  });
  show();
  return { slider, showNearest };
});

// A table that is wider than the page says so.
const wide = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const place = target.closest(".wide");
    const overflows = place.scrollWidth > place.clientWidth + 1;
    if (!place.previousElementSibling?.matches(".hint")) {
      place.insertAdjacentHTML("beforebegin", '<span class="hint" aria-hidden="true">more to the right →</span>');
    }
    place.previousElementSibling.hidden = !overflows;
    place.tabIndex = overflows ? 0 : -1;
  }
});
for (const table of document.querySelectorAll(".wide, .wide table")) wide.observe(table);

function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
