// Puts the newest calls in place every second; without it the page reloads itself.
const calls = document.getElementById("calls");
let shown = calls.innerHTML;
async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/phone/calls/" + location.search);
      const html = await answer.text();
      if (answer.ok && html !== shown) {
        shown = html;
        calls.innerHTML = html;
      }
    } catch {
      // The sandbox was stopped: it may come back.
    }
  }
  setTimeout(refresh, 1000);
}
refresh();
