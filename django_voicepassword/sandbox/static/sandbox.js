// Puts what is new in place every second; without it the page reloads itself. What stands already is left alone, so that
// a screen reader says each call once and a selection stays.
const list = document.getElementById("calls");
const clock = new Intl.DateTimeFormat([], { timeStyle: "medium" });
const source = new Map();

function localTimes(root) {
  for (const time of root.querySelectorAll("time")) {
    time.textContent = clock.format(new Date(time.dateTime));
  }
}

function show(html) {
  const wanted = [...new DOMParser().parseFromString(html, "text/html").body.children];
  const standing = new Map([...list.children].map((one) => [one.dataset.key, one]));
  let before = list.firstElementChild;
  for (const one of wanted) {
    const key = one.dataset.key;
    const text = one.outerHTML;
    let place = standing.get(key);
    standing.delete(key);
    if (!place || source.get(key) !== text) {
      source.set(key, text);
      localTimes(one);
      if (place) {
        if (before === place) {
          before = one;
        }
        place.replaceWith(one);
      }
      place = one;
    }
    if (place === before) {
      before = before.nextElementSibling;
    } else {
      list.insertBefore(place, before);
    }
  }
  for (const [key, gone] of standing) {
    source.delete(key);
    gone.remove();
  }
}

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/phone/calls/" + location.search);
      if (answer.ok) {
        show(await answer.text());
      }
    } catch {
      // The sandbox was stopped: it may come back.
    }
  }
  setTimeout(refresh, 1000);
}

localTimes(document);
refresh();
