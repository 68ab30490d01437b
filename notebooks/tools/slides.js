// Keys: arrows, page keys and space move by one slide, home and end to the first and last; n: notes.
const slides = [...document.querySelectorAll(".slide")];
const count = document.querySelector("output");
const notes = document.querySelector("#notes");
let current = 0;

function mark(index) {
  current = index;
  count.textContent = `${index + 1} / ${slides.length}`;
  history.replaceState(null, "", `#${slides[index].id}`);
}

function show(index) {
  index = Math.min(Math.max(index, 0), slides.length - 1);
  slides[index].scrollIntoView();
  slides[index].focus({ preventScroll: true });
  mark(index);
}

function showNotes(shown) {
  document.body.classList.toggle("without-notes", !shown);
  notes.setAttribute("aria-pressed", shown);
  slides[current].scrollIntoView();
}

const steps = {
  ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1,
  ArrowLeft: -1, ArrowUp: -1, PageUp: -1, Home: -Infinity, End: Infinity,
};

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (key === "n") showNotes(document.body.classList.contains("without-notes"));
  if (!(key in steps) || (key === " " && target.closest("a, button"))) return;
  if (/^Arrow(Left|Right)$/.test(key) && target.matches("[tabindex='0']")) return; // scrolls itself
  const slide = slides[current].getBoundingClientRect(); // with notes it can be longer than the window
  const hidden = key === "ArrowDown" ? slide.bottom > innerHeight + 1 : slide.top < -1;
  if (/^Arrow(Up|Down)$/.test(key) && hidden) return; // scrolls on
  event.preventDefault();
  show(current + (key === " " && event.shiftKey ? -1 : steps[key]));
});
document.querySelector("#previous").addEventListener("click", () => show(current - 1));
document.querySelector("#next").addEventListener("click", () => show(current + 1));
notes.addEventListener("click", () => showNotes(notes.getAttribute("aria-pressed") === "false"));

// A reader can also scroll: the slide in the middle of the window is the current one.
const middle = new IntersectionObserver(
  (entries) => entries.forEach((entry) => entry.isIntersecting && mark(slides.indexOf(entry.target))),
  { rootMargin: "-50% 0px" },
);
slides.forEach((slide) => middle.observe(slide));

// What is wider than the window scrolls by itself, also with the keyboard.
function makeScrollable() {
  document.querySelectorAll(".scroll, .formula, table").forEach((part) => {
    part.toggleAttribute("tabindex", part.scrollWidth > part.clientWidth + 1);
    if (part.hasAttribute("tabindex")) part.tabIndex = 0;
  });
}
addEventListener("resize", makeScrollable);
makeScrollable();
showNotes(false);
if (location.hash) show(slides.findIndex((slide) => `#${slide.id}` === location.hash));
