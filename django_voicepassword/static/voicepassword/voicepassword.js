// The pages work without this script. It shows the live state of the call, counts down to the next try, writes times in
// the reader's own zone and keeps a form from being sent twice.

const FIRST_PAUSE = 2000;
const LONGEST_PAUSE = 15000;
const PATIENCE = 10000;
const MOVING = ["queued", "placing", "placed", "unknown", "dialing", "sms_queued", "sms_sent"];
const language = document.documentElement.lang || undefined;

function keepFromSendingTwice(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    // Later: a disabled button would not send its own value.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
  });
}

// The back button may bring the page as it was left.
function allowSendingAgain() {
  document.querySelectorAll("[data-sent]").forEach((form) => {
    delete form.dataset.sent;
    form.querySelectorAll("button").forEach((button) => { button.disabled = false; });
  });
}

function writeTimes(root) {
  root.querySelectorAll("time[datetime]").forEach((element) => {
    const moment = new Date(element.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      element.textContent = moment.toLocaleTimeString(language);
    }
  });
}

// People paste codes with spaces; the field holds digits only.
function cleanPastedCode(input) {
  input.addEventListener("paste", (event) => {
    const digits = (event.clipboardData?.getData("text") ?? "").replace(/[\s-]/g, "");
    if (/^\d+$/.test(digits)) {
      event.preventDefault();
      input.value = digits.slice(0, input.maxLength > 0 ? input.maxLength : undefined);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
}

function inWords(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// The buttons that send the code again: which are offered, and from when on.
function followResend(form) {
  const wait = form.querySelector("[data-vp-wait]");
  const none = form.querySelector("[data-vp-none]");
  const buttons = [...form.querySelectorAll("button[name=channel]")];
  let opensAt = "seconds" in form.dataset ? Date.now() + Number(form.dataset.seconds) * 1000 : null;
  const text = document.createElement("span");
  wait.replaceChildren(text);

  const show = () => {
    const seconds = opensAt === null ? null : Math.max(Math.ceil((opensAt - Date.now()) / 1000), 0);
    none.hidden = seconds !== null;
    wait.hidden = !seconds;
    if (seconds) {
      text.textContent = wait.dataset.text.replace("{time}", inWords(seconds));
    }
    buttons.forEach((button) => { button.disabled = seconds !== 0 || "sent" in form.dataset; });
  };
  show();
  setInterval(show, 500);

  return (verification, now) => {
    const { resend_at: at, next_channels: channels } = verification;
    opensAt = at === null ? null : Date.now() + (new Date(at) - now);
    buttons.forEach((button) => { button.hidden = at === null || !channels.includes(button.value); });
    show();
  };
}

// The sentence for the person, its masked phone in one piece. Written only when it is new: it is read aloud.
function writeHint(element, { hint, phone }) {
  if (element.textContent === hint) {
    return;
  }
  const [before, ...after] = hint.split(phone);
  element.replaceChildren(before);
  if (after.length) {
    const strong = document.createElement("strong");
    strong.className = "vp-phone";
    strong.textContent = phone;
    element.append(strong, after.join(phone));
  }
}

// The state of the call, asked for ever more seldom until nothing changes any more; not while nobody looks.
function followCall(journey) {
  const hint = document.querySelector("[data-vp-hint]");
  const icon = document.querySelector("[data-vp-icon]");
  const resend = followResend(journey.querySelector("[data-vp-resend]"));
  let pause = FIRST_PAUSE;
  let timer;

  const plan = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(ask, wait);
  };

  const show = (verification, now) => {
    writeHint(hint, verification);
    resend(verification, now);
    const isMoving = MOVING.includes(verification.delivery);
    icon?.classList.toggle("vp-icon-calling", isMoving);
    const left = Math.max(new Date(verification.expires_at) - now, 0) + 1000;
    pause = Math.min(pause * 1.25, LONGEST_PAUSE);
    // A call that has ended says no more: the next news is the end of the time.
    plan(isMoving ? Math.min(pause, left) : left);
  };

  async function ask() {
    if (document.hidden) {
      return;
    }
    try {
      const response = await fetch(journey.dataset.state, {
        cache: "no-store",
        headers: { Accept: "application/json" },
        signal: AbortSignal.timeout(PATIENCE),
      });
      const verification = response.ok ? await response.json() : null;
      if (response.status === 404 || (verification && verification.status !== "pending")) {
        // Over: the page itself knows where to go on.
        location.replace(journey.dataset.page);
        return;
      }
      if (!verification) {
        throw new Error(`status ${response.status}`);
      }
      // Counted by the server's clock: the reader's may be wrong.
      show(verification, new Date(response.headers.get("Date") ?? Date.now()));
    } catch {
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      plan(pause);
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      pause = FIRST_PAUSE;
      plan(0);
    }
  });
  icon?.classList.toggle("vp-icon-calling", MOVING.includes(journey.dataset.delivery));
  plan(pause);
}

document.querySelectorAll("[data-vp-form]").forEach(keepFromSendingTwice);
document.querySelectorAll("input[autocomplete='one-time-code']").forEach(cleanPastedCode);
document.querySelectorAll("[data-vp-journey]").forEach(followCall);
writeTimes(document);
window.addEventListener("pageshow", allowSendingAgain);
