// A request that does not reach the server leaves the page as it was: say so.
document.addEventListener("htmx:sendError", () => {
  document.getElementById("unreachable").hidden = false;
});
