"use strict";

// Sample grids over training: a slider chooses the step.
for (const show of document.querySelectorAll(".slideshow")) {
  const frames = JSON.parse(show.querySelector("script").textContent);
  const slider = show.querySelector("input");
  const choose = () => {
    const { step, picture } = frames[slider.value];
    show.querySelector("img").src = picture;
    show.querySelector("output").textContent = `step ${step.toLocaleString("en")}`;
  };
  slider.addEventListener("input", choose);
  choose();
}
