// The page is complete without this script; it only lets the reader choose which kinds of moments the story shows.
const filters = document.querySelector(".filters");
const entries = document.querySelectorAll(".story li");
filters.hidden = false;
filters.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  for (const each of filters.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
  const kind = button.dataset.kind;
  for (const entry of entries) {
    entry.hidden = kind === "key" ? !entry.classList.contains("emphasis") : kind !== "all" && entry.dataset.kind !== kind;
  }
});
