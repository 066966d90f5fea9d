// For all pages: toasts, copying, the confirmation dialog.

export function toast(text, tone = "") {
  const holder = document.getElementById("toasts");
  const box = document.createElement("div");
  box.className = `toast ${tone}`.trim();
  const line = document.createElement("p");
  line.textContent = text;
  box.append(line);
  holder.append(box);
  settle(box);
}

/** Toasts disappear after five seconds. Bad ones stay until they are dismissed. */
export function settle(box) {
  if (box.classList.contains("bad")) {
    const close = document.createElement("button");
    close.type = "button";
    close.setAttribute("aria-label", "Dismiss");
    close.textContent = "✕";
    close.addEventListener("click", () => box.remove());
    box.append(close);
  } else {
    setTimeout(() => box.remove(), 5000);
  }
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The clipboard API works on HTTPS and localhost only. Elsewhere, copy from a hidden field.
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "visually-hidden";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) {
      toast("The browser blocked copying. Select the text and copy it yourself.", "bad");
      return;
    }
  }
  toast("Copied", "ok");
}

/** Asks in a dialog. Resolves to true if the person confirmed. */
export function ask(heading, { text = "", action = "Confirm" } = {}) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("#confirm-title").textContent = heading;
  dialog.querySelector("#confirm-text").textContent = text;
  dialog.querySelector("#confirm-ok").textContent = action;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok"), { once: true });
  });
}

/** Seconds as 04:12 or 1:04:12, cut to whole seconds. For a duration, add 0.5. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}
