// A request that does not reach the server leaves the page as it was: say so.
document.addEventListener("htmx:sendError", () => {
  document.getElementById("unreachable").hidden = false;
});

// One key presses the button or link that says so. Nothing is pressed while
// somebody writes or chooses, with a modifier, or while a key is held down.
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.repeat || e.target.closest("input, textarea, select")) return;
  const pressed = [...document.querySelectorAll("[data-key]")].find((x) => x.dataset.key === e.key);
  if (!pressed) return;
  e.preventDefault();
  pressed.click();
});
