// Updates the list of calls every second; without JavaScript the page reloads itself. Elements that have not changed stay
// in place, so that a screen reader announces each call once and a selection of text stays.
const list = document.getElementById("calls");
const clock = new Intl.DateTimeFormat([], { timeStyle: "medium" });
const source = new Map();

function localTimes(root) {
  for (const time of root.querySelectorAll("time")) {
    time.textContent = clock.format(new Date(time.dateTime));
  }
}

function show(html) {
  const newItems = [...new DOMParser().parseFromString(html, "text/html").body.children];
  const oldItems = new Map([...list.children].map((item) => [item.dataset.key, item]));
  let next = list.firstElementChild;
  for (const newItem of newItems) {
    const key = newItem.dataset.key;
    const text = newItem.outerHTML;
    let item = oldItems.get(key);
    oldItems.delete(key);
    if (!item || source.get(key) !== text) {
      source.set(key, text);
      localTimes(newItem);
      if (item) {
        if (next === item) {
          next = newItem;
        }
        item.replaceWith(newItem);
      }
      item = newItem;
    }
    if (item === next) {
      next = next.nextElementSibling;
    } else {
      list.insertBefore(item, next);
    }
  }
  for (const [key, item] of oldItems) {
    source.delete(key);
    item.remove();
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
      // The sandbox was stopped and may be started again.
    }
  }
  setTimeout(refresh, 1000);
}

localTimes(document);
refresh();
