// The page of a customer: copies the sentence, and looks again while the customer tries.

const GIVE_UP_AFTER = 30 * 60 * 1000;
const began = Date.now();

function copy(button) {
  const source = document.getElementById(button.dataset.vpCopy);
  const label = button.textContent;
  const say = () => {
    button.textContent = button.dataset.vpCopied;
    setTimeout(() => { button.textContent = label; }, 2000);
  };
  const select = () => {
    getSelection().selectAllChildren(source);
    if (document.execCommand("copy")) say();
  };
  // Without https a browser has no clipboard: the old way still copies.
  if (navigator.clipboard) navigator.clipboard.writeText(source.textContent).then(say, select);
  else select();
}

// Each answer has another token against forged requests, which is no change.
const withoutToken = (html) => html.replace(/name="csrfmiddlewaretoken" value="[^"]*"/g, "");

function replace(part, fresh) {
  if (withoutToken(part.dataset.vpShown) === withoutToken(fresh.innerHTML)) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.dataset.vpShown = fresh.innerHTML;
  part.innerHTML = fresh.innerHTML;
  if (focused) document.getElementById(focused)?.focus();
}

async function look(region) {
  const address = new URL(location.href);
  address.searchParams.set("part", "live");
  const answer = await fetch(address, { credentials: "same-origin", redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of region.querySelectorAll("[data-vp-part]")) {
    const fresh = page.querySelector(`[data-vp-part="${part.dataset.vpPart}"]`);
    if (fresh) replace(part, fresh);
  }
  return Number(page.querySelector("[data-vp-again]").dataset.vpAgain);
}

function follow(region, seconds) {
  setTimeout(async () => {
    if (Date.now() - began > GIVE_UP_AFTER) return;
    // A tab in the background asks nobody.
    if (document.hidden) {
      follow(region, seconds);
      return;
    }
    try {
      follow(region, await look(region));
    } catch {
      // The link "Look again" tells what is wrong.
      document.querySelector("[data-vp-reload]").hidden = false;
    }
  }, seconds * 1000);
}

for (const button of document.querySelectorAll("[data-vp-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
const region = document.querySelector("[data-vp-live]");
const isNewest = region && !new URLSearchParams(location.search).has("before");
if (isNewest && document.querySelector("[data-vp-reload]") && location.search) {
  for (const part of region.querySelectorAll("[data-vp-part]")) part.dataset.vpShown = part.innerHTML;
  document.querySelector("[data-vp-reload]").hidden = true;
  follow(region, Number(region.querySelector("[data-vp-again]").dataset.vpAgain));
}
