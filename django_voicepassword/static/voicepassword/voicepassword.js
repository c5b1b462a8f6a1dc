// The pages work without this script. It shows the live state of the call, counts down to the next resend and to the end of
// the code, submits the code with its last digit, and prevents double submits.

// Milliseconds between two polls of the state: from the first to the longest.
const FIRST_DELAY = 2000;
const LONGEST_DELAY = 15000;
const REQUEST_TIMEOUT = 10000;
// Stages of a call that may still change. The other stages are final.
const CHANGING_STAGES = ["preparing", "under_way", "slow"];
// The stage in which a phone rings.
const RINGING_STAGE = "under_way";

function preventDoubleSubmit(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    // After the submit: a disabled button would not send its value.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
  });
}

// The back button may restore the page from the browser's cache, with the form marked as sent.
function allowSubmitAgain() {
  document.querySelectorAll("[data-sent]").forEach((form) => {
    delete form.dataset.sent;
    form.querySelectorAll("button").forEach((button) => { button.disabled = false; });
  });
}

// The code may turn out longer or shorter after the page was loaded.
function expectDigits(input, digits) {
  input.dataset.vpDigits = digits;
  input.size = digits;
}

// The field takes digits without what groups them, as in 12-34-56. With the last digit the form is submitted, once: whoever
// corrects a code presses the button. A text of another length is left as it is, and the server says what is wrong with it.
function takeCode(input) {
  const clean = (text) => text.replace(/[\s-]/g, "");
  let wasSubmitted = false;

  const submitWhole = () => {
    if (!wasSubmitted && /^\d+$/.test(input.value) && input.value.length === Number(input.dataset.vpDigits)) {
      wasSubmitted = true;
      input.form.requestSubmit();
    }
  };
  input.addEventListener("input", (event) => {
    const code = clean(input.value);
    if (event.isComposing) {
      return;
    }
    if (code !== input.value) {
      input.value = code;
    }
    if (!event.inputType?.startsWith("delete")) {
      submitWhole();
    }
  });
  input.addEventListener("compositionend", submitWhole);
  // A pasted code replaces what was typed before it.
  input.addEventListener("paste", (event) => {
    const code = clean(event.clipboardData?.getData("text") ?? "");
    if (/^\d+$/.test(code)) {
      event.preventDefault();
      input.value = code;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
}

// Shows how long the code still works. The page has a text for each minute that is left, the longest first. It changes once a
// minute, and no screen reader is told.
function countDown(element) {
  const texts = [...element.querySelectorAll("span")].map((span) => span.textContent);
  const loadedAt = Date.now();
  const text = document.createTextNode(texts[0]);
  element.replaceChildren(text);
  setInterval(() => {
    const minutes = Math.floor((Date.now() - loadedAt) / 60000);
    const now = texts[Math.min(minutes, texts.length - 1)];
    if (text.data !== now) {
      text.data = now;
    }
  }, 1000);
}

function formatMinutes(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// Updates the buttons that send the code again: which channels they offer, and when they are enabled.
// Returns a function to call with each new state of the verification.
function setUpResend(form) {
  const wait = form.querySelector("[data-vp-wait]");
  const noSendLeft = form.querySelector("[data-vp-none]");
  const buttons = [...form.querySelectorAll("button[name=channel]")];
  // Null: the code cannot be sent again.
  let resendAt = "seconds" in form.dataset ? Date.now() + Number(form.dataset.seconds) * 1000 : null;
  const text = document.createElement("span");
  wait.replaceChildren(text);

  const show = () => {
    const seconds = resendAt === null ? null : Math.max(Math.ceil((resendAt - Date.now()) / 1000), 0);
    noSendLeft.hidden = seconds !== null;
    wait.hidden = !seconds;
    if (seconds) {
      text.textContent = wait.dataset.text.replace("{time}", formatMinutes(seconds));
    }
    buttons.forEach((button) => { button.disabled = seconds !== 0 || "sent" in form.dataset; });
  };
  show();
  setInterval(show, 500);

  return (verification, now) => {
    const { resend_at: at, next_channels: channels, takes_code: takesCode } = verification;
    resendAt = at === null ? null : Date.now() + (new Date(at) - now);
    // Where there is no code to type, the page has the buttons that help.
    if (takesCode) {
      buttons.forEach((button) => { button.hidden = at === null || !channels.includes(button.value); });
    }
    show();
  };
}

// Polls the state of the call with growing delays while it may change and the page is visible. A submitted form ends the
// polling: its answer shows the state, and a poll that overtakes it would reload the page and lose the login.
function pollState(journey) {
  const hint = document.querySelector("[data-vp-hint]");
  const icon = document.querySelector("[data-vp-icon]");
  const codeInput = journey.querySelector("[data-vp-digits]");
  // A longer code can be asked for at once, so that form does not wait.
  const resend = journey.querySelector("[data-vp-resend]");
  const updateResend = resend ? setUpResend(resend) : () => {};
  let delay = FIRST_DELAY;
  let timer;
  let request = new AbortController();
  let isSubmitted = false;

  const schedulePoll = (milliseconds) => {
    clearTimeout(timer);
    timer = setTimeout(poll, milliseconds);
  };

  const show = (verification, now) => {
    // Screen readers announce every change, so an unchanged hint is not written again.
    if (hint.textContent !== verification.hint) {
      hint.textContent = verification.hint;
    }
    if (codeInput) {
      expectDigits(codeInput, verification.code_length);
    }
    updateResend(verification, now);
    journey.dataset.stage = verification.stage;
    const isChanging = CHANGING_STAGES.includes(verification.stage);
    icon?.classList.toggle("vp-icon-calling", verification.stage === RINGING_STAGE);
    const untilExpiry = Math.max(new Date(verification.expires_at) - now, 0) + 1000;
    delay = Math.min(delay * 1.25, LONGEST_DELAY);
    // After a final state only the expiry can change the page.
    schedulePoll(isChanging ? Math.min(delay, untilExpiry) : untilExpiry);
  };

  // Whether the verification has ended, another tab has replaced it, or there is no code to type any more.
  const isAnotherPage = ({ id, status, takes_code: takesCode }) => (
    status !== "pending"
    || !id.startsWith(journey.dataset.verification)
    || (!takesCode && journey.dataset.takesCode === "yes")
  );

  async function poll() {
    if (document.hidden || isSubmitted) {
      return;
    }
    const { signal } = request = new AbortController();
    const timeout = setTimeout(() => request.abort(), REQUEST_TIMEOUT);
    try {
      const response = await fetch(journey.dataset.state, {
        cache: "no-store",
        headers: { Accept: "application/json" },
        signal,
      });
      const verification = response.ok ? await response.json() : null;
      if (isSubmitted) {
        return;
      }
      if (response.status === 404 || (verification && isAnotherPage(verification))) {
        // The page redirects, or says what to do next.
        location.replace(journey.dataset.page);
        return;
      }
      if (!verification) {
        throw new Error(`status ${response.status}`);
      }
      // The server's time: the clock of the person's device may be wrong.
      show(verification, new Date(response.headers.get("Date") ?? Date.now()));
    } catch {
      delay = Math.min(delay * 2, LONGEST_DELAY);
      schedulePoll(delay);
    } finally {
      clearTimeout(timeout);
    }
  }

  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented) {
      isSubmitted = true;
      request.abort();
    }
  });
  // The back button may restore the page, with its form to be submitted again.
  window.addEventListener("pageshow", () => {
    if (isSubmitted) {
      isSubmitted = false;
      schedulePoll(0);
    }
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      delay = FIRST_DELAY;
      schedulePoll(0);
    }
  });
  icon?.classList.toggle("vp-icon-calling", journey.dataset.stage === RINGING_STAGE);
  schedulePoll(delay);
}

document.querySelectorAll("[data-vp-form]").forEach(preventDoubleSubmit);
document.querySelectorAll("[data-vp-digits]").forEach(takeCode);
document.querySelectorAll("[data-vp-lifetime]").forEach(countDown);
document.querySelectorAll("[data-vp-journey]").forEach(pollState);
window.addEventListener("pageshow", allowSubmitAgain);
