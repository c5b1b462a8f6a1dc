// The download works without this script. With it the page tells how far it is, and saves no half of a file.

const language = document.documentElement.lang || undefined;
// A reader's ear is not to be filled with numbers.
const PAUSE = 2000;
const NEW_LINE = 10;

function formatter(options) {
  try {
    return new Intl.NumberFormat(language, options);
  } catch {
    return new Intl.NumberFormat(undefined, options);
  }
}

const whole = formatter({});
const percent = formatter({ style: "percent" });

function words(template, values) {
  return template.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

class Page {
  constructor(form) {
    this.form = form;
    this.texts = form.dataset;
    this.bar = form.querySelector("[data-vp-progress]");
    this.told = form.querySelector("[data-vp-told]");
    this.stop = form.querySelector("[data-vp-stop]");
    this.submit = form.querySelector("[type=submit]");
    this.toldAt = 0;
  }

  begin() {
    this.submit.disabled = true;
    this.bar.removeAttribute("value");
    this.bar.hidden = this.stop.hidden = false;
    this.say(this.texts.preparing);
  }

  // Rows of a stream, or bytes of a file whose length is known.
  progress(received, expected, isRows) {
    this.bar.max = Math.max(expected, 1);
    this.bar.value = Math.min(received, expected);
    if (Date.now() - this.toldAt >= PAUSE) {
      this.say(isRows
        ? words(this.texts.rows, { received: whole.format(received), expected: whole.format(expected) })
        : words(this.texts.bytes, { percent: percent.format(received / Math.max(expected, 1)) }));
    }
  }

  end(text) {
    this.submit.disabled = false;
    this.bar.hidden = this.stop.hidden = true;
    this.say(text);
    this.submit.focus();
  }

  say(text) {
    this.told.textContent = text;
    this.toldAt = Date.now();
  }
}

function lines(chunk) {
  let found = 0;
  for (let at = chunk.indexOf(NEW_LINE); at !== -1; at = chunk.indexOf(NEW_LINE, at + 1)) {
    found += 1;
  }
  return found;
}

async function receive(response, page) {
  const isRows = response.headers.get("Content-Type").startsWith("text/csv");
  const rows = Number(response.headers.get("X-Export-Rows"));
  // A length that is told of what was packed on its way says nothing of what arrives.
  const length = response.headers.get("Content-Encoding") ? 0 : Number(response.headers.get("Content-Length"));
  const expected = isRows ? rows : length;
  const reader = response.body.getReader();
  const chunks = [];
  // The line of titles is no row.
  let received = isRows ? -1 : 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      break;
    }
    chunks.push(value);
    received += isRows ? lines(value) : value.length;
    if (expected) {
      page.progress(Math.max(received, 0), expected, isRows);
    }
  }
  // Not every server tells a stream that broke from one that ended.
  if (received < expected) {
    throw new Error("incomplete");
  }
  return new Blob(chunks, { type: response.headers.get("Content-Type") });
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function download(form) {
  const page = new Page(form);
  const stopper = new AbortController();
  const stop = () => stopper.abort();
  page.begin();
  page.stop.addEventListener("click", stop);
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form), signal: stopper.signal });
    if (!response.ok || !response.headers.has("X-Export-Rows")) {
      // A page: what is wrong is told by it, or somebody has to log in.
      form.submit();
      return;
    }
    const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))?.[1] ?? "calls";
    save(await receive(response, page), name);
    page.end(words(page.texts.saved, { name }));
  } catch {
    page.end(stopper.signal.aborted ? page.texts.stopped : page.texts.failed);
  } finally {
    page.stop.removeEventListener("click", stop);
  }
}

document.querySelectorAll("form[data-vp-export]").forEach((form) => {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    download(form);
  });
});
