// The download works without this script. With it, the page shows the progress and saves no incomplete file.

const language = document.documentElement.lang || undefined;
// Milliseconds between two messages: a screen reader reads each of them out.
const MESSAGE_INTERVAL = 2000;
const LINE_FEED = 10;

function formatter(options) {
  try {
    return new Intl.NumberFormat(language, options);
  } catch {
    return new Intl.NumberFormat(undefined, options);
  }
}

const whole = formatter({});
const percent = formatter({ style: "percent" });

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (placeholder, name) => values[name] ?? placeholder);
}

class Page {
  constructor(form) {
    this.form = form;
    this.texts = form.dataset;
    this.bar = form.querySelector("[data-vp-progress]");
    this.status = form.querySelector("[data-vp-status]");
    this.stop = form.querySelector("[data-vp-stop]");
    this.submit = form.querySelector("[type=submit]");
    this.saidAt = 0;
  }

  begin() {
    this.submit.disabled = true;
    this.bar.removeAttribute("value");
    this.bar.hidden = this.stop.hidden = false;
    this.say(this.texts.preparing);
  }

  // Shows the progress in rows of a CSV stream, or in bytes of an XLSX file, whose length is known.
  progress(received, expected, isRows) {
    this.bar.max = Math.max(expected, 1);
    this.bar.value = Math.min(received, expected);
    if (Date.now() - this.saidAt >= MESSAGE_INTERVAL) {
      this.say(isRows
        ? fill(this.texts.rows, { received: whole.format(received), expected: whole.format(expected) })
        : fill(this.texts.bytes, { percent: percent.format(received / Math.max(expected, 1)) }));
    }
  }

  end(text) {
    this.submit.disabled = false;
    this.bar.hidden = this.stop.hidden = true;
    this.say(text);
    this.submit.focus();
  }

  say(text) {
    this.status.textContent = text;
    this.saidAt = Date.now();
  }
}

function countLines(chunk) {
  let count = 0;
  for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, at + 1)) {
    count += 1;
  }
  return count;
}

async function receive(response, page) {
  const isRows = response.headers.get("Content-Type").startsWith("text/csv");
  const rows = Number(response.headers.get("X-Export-Rows"));
  // The length of a compressed body is not the length of what the reader gets.
  const length = response.headers.get("Content-Encoding") ? 0 : Number(response.headers.get("Content-Length"));
  const expected = isRows ? rows : length;
  const reader = response.body.getReader();
  const chunks = [];
  // Start below zero: the first line has the titles and is not a row.
  let received = isRows ? -1 : 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      break;
    }
    chunks.push(value);
    received += isRows ? countLines(value) : value.length;
    if (expected) {
      page.progress(Math.max(received, 0), expected, isRows);
    }
  }
  // With some servers a stream that broke looks like one that ended.
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
  const controller = new AbortController();
  const stop = () => controller.abort();
  page.begin();
  page.stop.addEventListener("click", stop);
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form), signal: controller.signal });
    if (!response.ok || !response.headers.has("X-Export-Rows")) {
      // The answer is a page, with an error or a login form: submit without the script to show it.
      form.submit();
      return;
    }
    const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))?.[1] ?? "calls";
    save(await receive(response, page), name);
    page.end(fill(page.texts.saved, { name }));
  } catch {
    page.end(controller.signal.aborted ? page.texts.stopped : page.texts.failed);
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
